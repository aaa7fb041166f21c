package kernel

import (
	"time"

	"go.uber.org/zap"
)

// log is where builds are logged, which may be nowhere.
func (b *Builder) log() *zap.Logger {
	if b.Log == nil {
		return zap.NewNop()
	}
	log := b.Log.Named("kernel")
	if b.Flavour != "" { // a tree is for all
		log = log.With(zap.String("flavour", string(b.Flavour)))
	}
	return log
}

// step begins one of a build.
func (b *Builder) step(name string, percent int) {
	b.report(name, percent, 0)
	b.logStep(name)
}

func (b *Builder) logStep(name string) { b.log().Debug("step", zap.String("step", name)) }

// logBuild is deferred by what makes something: it logs what came of it.
func (b *Builder) logBuild(what string, begin time.Time, path *string, err *error) {
	took := zap.Duration("took", time.Since(begin))
	if *err != nil {
		b.log().Error(what+" failed", took, zap.Error(*err))
		return
	}
	b.log().Info(what, zap.String("kernel", *path), took)
}
