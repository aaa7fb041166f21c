package main

import (
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

// calls is the group in which members hear each other, once in callEvery periods.
var calls = &net.UDPAddr{IP: net.IPv4(239, 0, 0, 7), Port: 7001}

const callEvery = 5

// message is a received message: an echo of a heartbeat, or a member's call.
type message struct {
	text string
	call bool
	at   time.Time
}

// member sends heartbeats to the hub and calls to all.
func member(name, to string, period time.Duration) error {
	hub, err := net.ResolveUDPAddr("udp4", to)
	if err != nil {
		return err
	}
	beats, err := net.ListenUDP("udp4", nil)
	if err != nil {
		return err
	}
	eth0, err := net.InterfaceByName("eth0")
	if err != nil {
		return err
	}
	group, err := net.ListenMulticastUDP("udp4", eth0, calls)
	if err != nil {
		return err
	}
	in := make(chan message, 16)
	go read(beats, false, in)
	go read(group, true, in)
	m := &link{heard: map[string]bool{name: true}, sent: make(map[string]time.Time), carrier: true}
	tick := time.NewTicker(period)
	for seq := 1; ; seq++ {
		text := beat(name, seq)
		m.sent[text] = time.Now()
		delete(m.sent, beat(name, seq-remembered))
		_, _ = beats.WriteToUDP([]byte(text), hub) // without a carrier there is no way out
		if seq%callEvery == 0 {
			_, _ = group.WriteToUDP([]byte(text), calls)
		}
		for waiting := true; waiting; {
			select {
			case msg := <-in:
				m.take(msg)
			case <-tick.C:
				waiting = false
			}
		}
		m.look(time.Now(), patience*period)
	}
}

// beat is the text of a heartbeat. An Ethernet frame has no room for padding with it: no
// checksum would cover that, and damage to it would go unseen.
func beat(name string, seq int) string { return fmt.Sprintf("%s %020d", name, seq) }

// remembered is for how many heartbeats an echo is waited for.
const remembered = 100

func read(conn *net.UDPConn, call bool, to chan<- message) {
	buf := make([]byte, 1500)
	for {
		n, _, err := conn.ReadFromUDP(buf)
		if err == nil {
			to <- message{string(buf[:n]), call, time.Now()}
		}
	}
}

// link is what a member knows of its network.
type link struct {
	heard   map[string]bool
	sent    map[string]time.Time // heartbeats without an echo
	linked  bool
	last    time.Time     // of the last echo
	round   time.Duration // as it was said last
	carrier bool
}

func (l *link) take(m message) {
	if m.call {
		if name, _, _ := strings.Cut(m.text, " "); !l.heard[name] {
			l.heard[name] = true
			fmt.Println("hears", name)
		}
		return
	}
	sent, ok := l.sent[m.text]
	if !ok {
		return // a duplicate, or damaged
	}
	delete(l.sent, m.text)
	l.last = m.at
	if round := m.at.Sub(sent); !l.linked || round > l.round*5/4 || round < l.round*3/4 {
		l.linked, l.round = true, round
		fmt.Printf("round trip %.6f ms\n", float64(round)/1e6)
	}
}

// look says what has gone away.
func (l *link) look(now time.Time, limit time.Duration) {
	if l.linked && now.Sub(l.last) > limit {
		l.linked = false
		fmt.Println("hub lost")
	}
	b, err := os.ReadFile("/sys/class/net/eth0/carrier")
	if carrier := err == nil && string(b) == "1\n"; carrier != l.carrier {
		l.carrier = carrier
		fmt.Println("carrier", map[bool]string{true: "back", false: "lost"}[carrier])
	}
}
