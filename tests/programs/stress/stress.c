// SPDX-License-Identifier: GPL-2.0
/*
 * Sends random bytes over a serial port while it receives those of another stress at the other
 * end of the line, and compares each with what that has sent:
 *
 *	stress /dev/ttyS1 4000000 8N1 crtscts 1048576 1 2
 *
 * are the rate, the format, the flow control (crtscts or -crtscts), how many bytes go each way,
 * and the seeds of what it sends and of what it receives. It begins when the other end has its
 * port open too, as DSR says. At the end it prints what TIOCGICOUNT has counted meanwhile. Any
 * byte that is wrong or does not come, and any counter that differs, is an error.
 *
 * In C, since Go's runtime has threads of its own, whose time a board of one CPU takes from a
 * line of 4 Mbaud.
 */
#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/serial.h>
#include <linux/tty.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PATIENCE 10000 /* ms, for the other end */
#define BUFFER 4096    /* what a port's buffer in the kernel has */

static int fd;

/* set makes the port raw, and returns the bits that its characters have. */
static unsigned char set(const char *rate, const char *format, const char *flow)
{
	static const unsigned int sizes[] = { CS5, CS6, CS7, CS8 };
	struct termios2 t = { .c_iflag = INPCK, .c_cflag = BOTHER | CREAD | CLOCAL };

	if (strlen(format) != 3 || format[0] < '5' || format[0] > '8' || !strchr("NEOMS", format[1]))
		errx(1, "%s is no format", format);
	t.c_cflag |= sizes[format[0] - '5'];
	if (format[1] != 'N')
		t.c_cflag |= PARENB;
	if (format[1] == 'O' || format[1] == 'M')
		t.c_cflag |= PARODD;
	if (format[1] == 'M' || format[1] == 'S')
		t.c_cflag |= CMSPAR;
	if (format[2] == '2')
		t.c_cflag |= CSTOPB;
	if (!strcmp(flow, "crtscts"))
		t.c_cflag |= CRTSCTS;
	t.c_cc[VMIN] = 1;
	t.c_ispeed = t.c_ospeed = strtoul(rate, NULL, 10);
	if (ioctl(fd, TCSETSF2, &t))
		err(1, "TCSETSF2");
	return 0xff >> ('8' - format[0]);
}

/* other_end waits until the other end's DTR is up, and it has set what it sets. */
static void other_end(void)
{
	int i, lines;

	for (i = 0; i < PATIENCE; i++) {
		if (ioctl(fd, TIOCMGET, &lines))
			err(1, "TIOCMGET");
		if (lines & TIOCM_DSR) {
			usleep(100000); /* to open a port raises DTR, and it is set after that */
			return;
		}
		usleep(1000);
	}
	errx(1, "nobody has the other end open");
}

/* next is xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators,
 * scrambled"). */
static unsigned char next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1d >> 56;
}

static struct serial_icounter_struct count(void)
{
	struct serial_icounter_struct c;

	if (ioctl(fd, TIOCGICOUNT, &c))
		err(1, "TIOCGICOUNT");
	return c;
}

/* stream is what goes both ways. */
struct stream {
	uint64_t out, in; /* the generators */
	unsigned char mask;
	long count, sent, received;
	unsigned char waiting[BUFFER]; /* to be sent */
	long wait;
};

static void receive(struct stream *s)
{
	unsigned char buffer[BUFFER], want;
	long i, n = read(fd, buffer, sizeof(buffer));

	if (n < 0 && errno != EAGAIN)
		err(1, "read");
	for (i = 0; i < n; i++, s->received++) {
		if (s->received == s->count)
			errx(1, "more than %ld bytes have come", s->count);
		want = next(&s->in) & s->mask;
		if (buffer[i] != want)
			errx(1, "byte %ld is %#04x, want %#04x", s->received, buffer[i], want);
	}
}

static void transmit(struct stream *s)
{
	long n;

	while (s->wait < BUFFER && s->sent + s->wait < s->count)
		s->waiting[s->wait++] = next(&s->out) & s->mask;
	n = write(fd, s->waiting, s->wait);
	if (n < 0 && errno != EAGAIN)
		err(1, "write");
	if (n > 0) {
		s->sent += n;
		s->wait -= n;
		memmove(s->waiting, s->waiting + n, s->wait);
	}
}

/* run sends and receives until all is done and the last stop bit has gone. */
static void run(struct stream *s)
{
	struct pollfd p = { .fd = fd };

	while (s->sent < s->count || s->received < s->count) {
		p.events = POLLIN | (s->sent < s->count ? POLLOUT : 0);
		switch (poll(&p, 1, PATIENCE)) {
		case -1:
			err(1, "poll");
		case 0:
			errx(1, "after %ld bytes sent and %ld received, nothing happens", s->sent, s->received);
		}
		if (p.revents & POLLIN)
			receive(s);
		if (p.revents & POLLOUT)
			transmit(s);
	}
	if (ioctl(fd, TCSBRK, 1)) /* tcdrain */
		err(1, "TCSBRK");
}

int main(int argc, char **argv)
{
	struct serial_icounter_struct was, is;
	struct stream s = {};
	int errors;

	if (argc != 8)
		errx(1, "say what, as the comment at the head of tests/programs/stress/stress.c has it");
	fd = open(argv[1], O_RDWR | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		err(1, "%s", argv[1]);
	s.mask = set(argv[2], argv[3], argv[4]);
	s.count = strtol(argv[5], NULL, 10);
	s.out = strtoul(argv[6], NULL, 10) + 1;
	s.in = strtoul(argv[7], NULL, 10) + 1;
	was = count(); /* before the other end begins: that waits for longer than this takes */
	other_end();
	run(&s);
	is = count();
	errors = is.frame - was.frame + is.parity - was.parity + is.brk - was.brk + is.overrun - was.overrun + is.buf_overrun - was.buf_overrun;
	printf("tx %d rx %d errors %d\n", is.tx - was.tx, is.rx - was.rx, errors);
	if (is.tx - was.tx != s.count || is.rx - was.rx != s.count || errors)
		errx(1, "the port has counted that, want %ld bytes each way", s.count);
	close(fd);
	return 0;
}
