// Command group joins a multicast group and counts what comes, or sends to one.
// `group join eth0 239.1.2.3:7000 2s` prints how many datagrams came in that time,
// `group send eth0 239.1.2.3:7000 10` sends ten.
package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "group:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 4 {
		return errors.New("say join INTERFACE GROUP:PORT TIME, or send INTERFACE GROUP:PORT COUNT")
	}
	port, err := net.InterfaceByName(args[1])
	if err != nil {
		return err
	}
	to, err := net.ResolveUDPAddr("udp", args[2])
	if err != nil {
		return err
	}
	if args[0] == "send" {
		n, err := strconv.Atoi(args[3])
		if err != nil {
			return err
		}
		return send(to, n)
	}
	d, err := time.ParseDuration(args[3])
	if err != nil {
		return err
	}
	n, err := join(port, to, d)
	fmt.Println(n)
	return err
}

func send(to *net.UDPAddr, n int) error {
	c, err := net.DialUDP("udp", nil, to)
	if err != nil {
		return err
	}
	defer c.Close()
	for range n {
		if _, err := c.Write([]byte("hello, group")); err != nil {
			return err
		}
	}
	return nil
}

func join(port *net.Interface, group *net.UDPAddr, d time.Duration) (n int, err error) {
	c, err := net.ListenMulticastUDP("udp", port, group)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if err := c.SetReadDeadline(time.Now().Add(d)); err != nil {
		return 0, err
	}
	for {
		var buf [64]byte
		if _, _, err := c.ReadFromUDP(buf[:]); errors.Is(err, os.ErrDeadlineExceeded) {
			return n, nil
		} else if err != nil {
			return n, err
		}
		n++
	}
}
