package main

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"time"
)

// peer is a member as the hub knows it.
type peer struct {
	last time.Time
	lost bool
}

// hub answers heartbeats and says who comes and goes.
func hub(listen string, period time.Duration) error {
	conn, err := net.ListenPacket("udp4", listen)
	if err != nil {
		return err
	}
	peers := make(map[string]*peer)
	buf := make([]byte, 1500)
	next := time.Now().Add(period)
	for {
		if err := conn.SetReadDeadline(next); err != nil {
			return err
		}
		n, from, err := conn.ReadFrom(buf)
		now := time.Now()
		if err == nil {
			name, _, _ := strings.Cut(string(buf[:n]), " ")
			greet(peers, name, now)
			_, _ = conn.WriteTo(buf[:n], from) // who cannot be reached will notice
			continue
		}
		for next = next.Add(period); !next.After(now); next = next.Add(period) {
		}
		for _, name := range slices.Sorted(maps.Keys(peers)) {
			if p := peers[name]; !p.lost && now.Sub(p.last) > patience*period {
				p.lost = true
				fmt.Println(name, "lost")
			}
		}
	}
}

func greet(peers map[string]*peer, name string, now time.Time) {
	p := peers[name]
	switch {
	case p == nil:
		p = new(peer)
		peers[name] = p
		fmt.Println(name, "up")
	case p.lost:
		fmt.Println(name, "back")
	}
	p.last, p.lost = now, false
}
