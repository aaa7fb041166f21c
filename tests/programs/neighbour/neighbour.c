// SPDX-License-Identifier: GPL-2.0
/* Sends to groups of the neighbour on the cable (IEEE 802.1Q table 8-1), and a broadcast of 14 bytes. */
#include <net/if.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>
int main(void)
{
	static const unsigned char last[] = {0x00, 0x02, 0x0e};
	unsigned char f[60] = {1, 0x80, 0xc2, 0, 0, 0, 2, 0x42, 0x50, 0, 0, 0, 0x88, 0xb5};
	struct sockaddr_ll a = {.sll_family = AF_PACKET, .sll_ifindex = if_nametoindex("eth0"), .sll_halen = 6};
	int s = socket(AF_PACKET, SOCK_RAW, 0);
	for (unsigned i = 0; i < sizeof last; i++) {
		f[5] = last[i];
		if (sendto(s, f, sizeof f, 0, (void *)&a, sizeof a) < 0)
			return 1;
	}
	memset(f, 0xff, 6);
	return sendto(s, f, 14, 0, (void *)&a, sizeof a) < 0;
}
