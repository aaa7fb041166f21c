package control

import (
	"time"

	"go.uber.org/zap"
)

func clientPID(pid int) zap.Field { return zap.Int("client_pid", pid) }

// quiet are the requests that only look.
var quiet = map[string]bool{"ps": true, "net": true, "list": true, "places": true, "get": true, "events": true, "logs": true, "wait": true}

// logRequest logs what a client wants, and what becomes of it when that is called which it
// returns. What programs on boards are given does not come into the log.
func (s *Server) logRequest(r *Request, pid int) (done func(error)) {
	log := s.logger.With(clientPID(pid), zap.String("command", r.Command), zap.String("path", r.Path))
	level := zap.InfoLevel
	if quiet[r.Command] {
		level = zap.DebugLevel
	}
	log.Log(level, "request")
	begin := time.Now()
	return func(err error) {
		took := zap.Duration("took", time.Since(begin))
		if err != nil {
			log.Info("request failed", took, zap.Error(err))
			return
		}
		log.Debug("request done", took)
	}
}
