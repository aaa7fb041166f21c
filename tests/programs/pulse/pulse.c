// SPDX-License-Identifier: GPL-2.0
// pulse wakes up COUNT times, PERIOD nanoseconds apart; with a PEER it sends a
// heartbeat there at each of them, and takes one that has come from another:
//
//	pulse 1000000 10500
//	pulse 1000000000 86400 10.0.0.2
//
// It is in C because a Go program's runtime wakes up between the wake-ups that
// are to be measured.
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define PORT 7000

int main(int argc, char **argv)
{
	if (argc < 3 || argc > 4)
		errx(1, "say pulse PERIOD COUNT [PEER], the period in nanoseconds");
	long long period = atoll(argv[1]), count = atoll(argv[2]), heard = 0;
	if (period <= 0 || count <= 0)
		errx(1, "period and count must be positive");

	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(PORT) }, peer = any;
	int fd = -1;
	if (argc == 4) {
		if (inet_pton(AF_INET, argv[3], &peer.sin_addr) != 1)
			errx(1, "peer %s: must be an IPv4 address", argv[3]);
		fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
		if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0)
			err(1, "socket");
	}

	struct timespec next;
	clock_gettime(CLOCK_MONOTONIC, &next);
	for (long long i = 0; i < count; i++) {
		long long ns = next.tv_nsec + period;
		next.tv_sec += ns / 1000000000;
		next.tv_nsec = ns % 1000000000;
		while ((errno = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL)) == EINTR)
			;
		if (errno)
			err(1, "sleep");
		if (fd < 0)
			continue;
		char beat[32];
		memset(beat, 0, sizeof(beat));
		if (sendto(fd, beat, sizeof(beat), 0, (struct sockaddr *)&peer, sizeof(peer)) != sizeof(beat))
			err(1, "send to %s", argv[3]);
		if (recv(fd, beat, sizeof(beat), 0) == sizeof(beat))
			heard++;
		else if (errno != EAGAIN)
			err(1, "receive");
	}
	if (fd >= 0)
		printf("%lld heartbeats of %lld heard\n", heard, count);
	return 0;
}
