// SPDX-License-Identifier: GPL-2.0
/*
 * A module with which root on a board misuses the sockets that its kernel has to Backplane,
 * by system calls of the host's.
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/string.h>

#include "host.h"

static char *what = "";
module_param(what, charp, 0);

/* Numbers of the host's system calls: x86-64's. */
enum {
	HOST_CLOSE = 3, HOST_FSTAT = 5, HOST_SOCKET = 41, HOST_CONNECT = 42, HOST_SENDMSG = 46, HOST_GETSOCKOPT = 55,
	HOST_GETDENTS64 = 217, HOST_OPENAT = 257,
};

#define DESCRIPTORS 128	/* that are looked at */
#define DONTWAIT 0x4040	/* MSG_DONTWAIT | MSG_NOSIGNAL */
#define MOST_RIGHTS 9	/* one more than a message may bring */

static int sockets[DESCRIPTORS], count, memory = -1;

/* to_program tells whether a socket leads to one of the board's programs. */
static bool to_program(int fd)
{
	struct task_struct *task;
	bool found = false;

	rcu_read_lock();
	for_each_process(task) {
		task_lock(task);
		found = found || (task->mm && task->mm->context.id.sock == fd);
		task_unlock(task);
	}
	rcu_read_unlock();
	return found;
}

/*
 * find finds the kernel's sockets, and its memory's file: the largest. Those to its programs
 * are left out. They are not read meanwhile, and what is under way in them counts for the
 * host's user, so that other boards wait (docs/security.md).
 */
static void find(void)
{
	u64 stat[18], largest = 0;
	int fd, type, size;

	for (fd = 3; fd < DESCRIPTORS; fd++) {
		size = sizeof(type);
		if (!host(HOST_GETSOCKOPT, fd, 1, 3, (long)&type, (long)&size, 0)) {
			if (!to_program(fd))
				sockets[count++] = fd;
		} else if (!host(HOST_FSTAT, fd, (long)stat, 0, 0, 0, 0) && stat[6] > largest) {
			largest = stat[6];
			memory = fd;
		}
	}
}

/* send sends bytes, and the same file's descriptor n times. */
static long send(int fd, void *data, long len, int file, int n)
{
	static struct { u64 len; int level, type, fds[MOST_RIGHTS + 1]; } control;
	struct { void *base; u64 len; } part = { data, len };
	struct {
		void *name; u32 namelen; void *parts; u64 nparts; void *control; u64 controllen; int flags;
	} m = { .parts = &part, .nparts = 1 };
	int i;

	if (n) {
		control.len = 16 + 4 * n;
		control.level = control.type = 1;
		for (i = 0; i < n; i++)
			control.fds[i] = file;
		m.control = &control;
		m.controllen = (control.len + 7) & ~7ul;
	}
	return host(HOST_SENDMSG, fd, (long)&m, DONTWAIT, 0, 0, 0);
}

/* each calls f with a new connection to each socket in the board's folder. */
static void each(void (*f)(int fd, int round), int rounds)
{
	static char entries[4096];
	struct { u16 family; char path[108]; } to = { 1 };
	long dir = host(HOST_OPENAT, -100, (long)"/board", 0200000, 0, 0, 0), n, at, fd, round, made = 0;

	n = host(HOST_GETDENTS64, dir, (long)entries, sizeof(entries), 0, 0, 0);
	for (round = 0; round < rounds; round++)
		for (at = 0; at < n; at += *(u16 *)(entries + at + 16)) {
			if (!strstr(entries + at + 19, ".sock"))
				continue;
			snprintf(to.path, sizeof(to.path), "/board/%s", entries + at + 19);
			fd = host(HOST_SOCKET, 1, 04001, 0, 0, 0, 0);
			if (!host(HOST_CONNECT, fd, (long)&to, sizeof(to), 0, 0, 0)) {
				made++;
				f(fd, round);
			}
			host(HOST_CLOSE, fd, 0, 0, 0, 0, 0);
		}
	host(HOST_CLOSE, dir, 0, 0, 0, 0, 0);
	pr_info("sockets: %ld connections\n", made);
}

static u32 message[3 + 64];

static long request(int fd, u32 nr, u32 size, int file, int n)
{
	message[0] = nr;
	message[1] = 1;
	message[2] = size;
	return send(fd, message, 12 + size, file, n);
}

/* Requests of vhost-user. */
enum { SET_MEM_TABLE = 5, SET_VRING_NUM = 8, SET_VRING_ADDR = 9, SET_VRING_KICK = 12, SET_VRING_CALL = 13, SET_BACKEND_REQ_FD = 21 };

static void tables(int fd)
{
	u64 table[5] = { 1, 0, 4096, 0, 0 }, addr[5] = { 0, 0, 64, 128, 0 };
	u32 num[2] = { 0, 8 };
	u64 zero = 0;

	memcpy(message + 3, table, 40);
	request(fd, SET_MEM_TABLE, 40, memory, 1);
	memcpy(message + 3, num, 8);
	request(fd, SET_VRING_NUM, 8, 0, 0);
	memcpy(message + 3, addr, 40);
	request(fd, SET_VRING_ADDR, 40, 0, 0);
	memcpy(message + 3, &zero, 8);
	request(fd, SET_VRING_KICK, 8, fd, 1);
	request(fd, SET_VRING_CALL, 8, fd, 1);
	request(fd, SET_BACKEND_REQ_FD, 0, fd, 1);
}

static void some(int fd, int round)
{
	switch (round % 4) {
	case 1: /* half a message, with descriptors */
		send(fd, message, 7, memory, 5);
		break;
	case 2:
		send(fd, message, 12, fd, MOST_RIGHTS);
		break;
	case 3:
		tables(fd);
	}
}

static int __init sockets_init(void)
{
	int i, round;

	find();
	pr_info("sockets: %d, memory %d, %s\n", count, memory, what);
	message[1] = 1;
	if (!strcmp(what, "connections"))
		each(some, 5000);
	for (round = 0; round < 5000; round++)
		for (i = 0; i < count; i++) {
			if (!strcmp(what, "descriptors"))
				send(sockets[i], message, 12, memory, MOST_RIGHTS);
			else if (!strcmp(what, "tables"))
				tables(sockets[i]);
			else if (!strcmp(what, "drops"))
				send(sockets[i], message, 1, memory, 8);
		}
	if (!strcmp(what, "half")) /* messages, and nothing more */
		for (i = 0; i < count; i++) {
			send(sockets[i], message, 7, sockets[i], 3);
			host(HOST_CLOSE, sockets[i], 0, 0, 0, 0, 0);
		}
	return -EAGAIN; /* there is nothing to be unloaded */
}
module_init(sockets_init);

MODULE_DESCRIPTION("Misuses its kernel's sockets");
MODULE_LICENSE("GPL");
