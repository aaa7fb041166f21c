// SPDX-License-Identifier: GPL-2.0
/*
 * A module with which root on a board tries to reach the host: a User Mode Linux kernel
 * is a process of the host's, so a module can make the host's system calls.
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/moduleparam.h>

#include "host.h"

static char *secret = "", *socket = "", *neighbour = "";
static int parent;
module_param(secret, charp, 0);    /* a file of the user's */
module_param(socket, charp, 0);    /* the appliance's control socket */
module_param(neighbour, charp, 0); /* a socket of another board */
module_param(parent, int, 0);      /* Backplane's process */

/* Numbers of the host's system calls: x86-64's. */
enum {
	HOST_OPEN = 257, HOST_CLOSE = 3, HOST_MMAP = 9, HOST_SOCKET = 41, HOST_CONNECT = 42, HOST_CLONE = 56, HOST_EXECVE = 59,
	HOST_KILL = 62, HOST_FCNTL = 72, HOST_CHMOD = 90, HOST_PTRACE = 101, HOST_SETUID = 105, HOST_PIVOT_ROOT = 155, HOST_PRCTL = 157, HOST_CHROOT = 161,
	HOST_MOUNT = 165, HOST_INIT_MODULE = 175, HOST_GETDENTS64 = 217, HOST_KEYCTL = 250, HOST_UNSHARE = 272, HOST_PERF = 298,
	HOST_PRLIMIT = 302, HOST_SETNS = 308, HOST_VM_READV = 310, HOST_MEMFD = 319, HOST_BPF = 321, HOST_EXECVEAT = 322,
	HOST_USERFAULTFD = 323, HOST_IO_URING = 425, HOST_GETPID = 39,
};

#define AT_CWD -100

static char buffer[4096];

static void tell(const char *what, long ret)
{
	pr_info("try: %s: %ld\n", what, ret);
}

static long open_host(const char *path, int flags)
{
	long fd = host(HOST_OPEN, AT_CWD, (long)path, flags, 0644, 0, 0);

	if (fd >= 0)
		host(HOST_CLOSE, fd, 0, 0, 0, 0, 0);
	return fd;
}

/* lease_host has whoever opens a file for writing wait until we agree: F_SETLEASE, F_RDLCK. */
static long lease_host(const char *path)
{
	long fd = host(HOST_OPEN, AT_CWD, (long)path, 0, 0, 0, 0), ret;

	if (fd < 0)
		return 0; /* it can open that one */
	ret = host(HOST_FCNTL, fd, 1024, 0, 0, 0, 0);
	host(HOST_CLOSE, fd, 0, 0, 0, 0, 0);
	return ret;
}

static long connect_host(const char *path)
{
	struct { u16 family; char path[108]; } to = { 1 };
	long fd = host(HOST_SOCKET, 1, 1, 0, 0, 0, 0), ret;

	if (fd < 0)
		return fd;
	strscpy(to.path, path, sizeof(to.path));
	ret = host(HOST_CONNECT, fd, (long)&to, sizeof(to), 0, 0, 0);
	host(HOST_CLOSE, fd, 0, 0, 0, 0, 0);
	return ret;
}

/* list tells of all that is in the root folder. */
static void list(void)
{
	long fd = host(HOST_OPEN, AT_CWD, (long)"/", 0200000, 0, 0, 0), n, at;

	n = fd < 0 ? fd : host(HOST_GETDENTS64, fd, (long)buffer, sizeof(buffer), 0, 0, 0);
	for (at = 0; at < n; at += *(u16 *)(buffer + at + 16))
		if (buffer[at + 19] != '.')
			pr_info("try: in the root: %s\n", buffer + at + 19);
	if (n < 0)
		tell("list the root", n);
}

static int __init escape_init(void)
{
	static char *argv[] = { "sh", "-c", "echo out", NULL };

	tell("its process", host(HOST_GETPID, 0, 0, 0, 0, 0, 0));
	list();
	tell("read the user's file", open_host(secret, 0));
	tell("read /etc/passwd", open_host("/etc/passwd", 0));
	tell("write to the root", open_host("/x", 0101));
	tell("write to its folder", open_host("/board/x", 0101));
	tell("change its initial file system", open_host("/board/initrd.cpio", 2));
	tell("let others change it", host(HOST_CHMOD, (long)"/board/initrd.cpio", 0777, 0, 0, 0, 0));
	tell("have who writes its kernel's file wait", lease_host("/linux"));
	tell("reach the control socket", connect_host(socket));
	tell("reach another board's device", connect_host(neighbour));
	tell("reach its own device once more", connect_host("/board/rng.sock"));
	tell("make an Internet socket", host(HOST_SOCKET, 2, 1, 0, 0, 0, 0));
	tell("make a netlink socket", host(HOST_SOCKET, 16, 3, 0, 0, 0, 0));
	tell("signal Backplane", host(HOST_KILL, parent, 0, 0, 0, 0, 0));
	tell("trace Backplane", host(HOST_PTRACE, 16, parent, 0, 0, 0, 0));
	tell("read Backplane's memory", host(HOST_VM_READV, parent, 0, 0, 0, 0, 0));
	tell("execute a shell", host(HOST_EXECVE, (long)"/bin/sh", (long)argv, 0, 0, 0, 0));
	tell("execute a shell otherwise", host(HOST_EXECVEAT, AT_CWD, (long)"/bin/sh", (long)argv, 0, 0, 0));
	tell("mount", host(HOST_MOUNT, (long)"x", (long)"/tmp", (long)"tmpfs", 0, 0, 0));
	tell("change its root", host(HOST_CHROOT, (long)"/tmp", 0, 0, 0, 0, 0));
	tell("pivot its root", host(HOST_PIVOT_ROOT, (long)"/", (long)"/tmp", 0, 0, 0, 0));
	tell("make a user namespace", host(HOST_UNSHARE, 0x10000000, 0, 0, 0, 0, 0));
	tell("make a process in one", host(HOST_CLONE, 0x10000000 | 17, 0, 0, 0, 0, 0));
	tell("enter a namespace", host(HOST_SETNS, 0, 0, 0, 0, 0, 0));
	tell("become root", host(HOST_SETUID, 0, 0, 0, 0, 0, 0));
	tell("load a module", host(HOST_INIT_MODULE, 0, 0, 0, 0, 0, 0));
	tell("use keyrings", host(HOST_KEYCTL, 0, 0, 0, 0, 0, 0));
	tell("use perf", host(HOST_PERF, 0, 0, 0, 0, 0, 0));
	tell("use bpf", host(HOST_BPF, 0, 0, 0, 0, 0, 0));
	tell("use userfaultfd", host(HOST_USERFAULTFD, 1, 0, 0, 0, 0, 0));
	tell("use io_uring", host(HOST_IO_URING, 1, 0, 0, 0, 0, 0));
	tell("make a memfd", host(HOST_MEMFD, (long)"x", 0, 0, 0, 0, 0));
	tell("take memory without a limit", host(HOST_MMAP, 0, 1 << 20, 3, 0x21, -1, 0));
	strscpy(buffer, "\xff\xff\xff\xff\xff\xff\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x7f", 17);
	tell("raise a limit", host(HOST_PRLIMIT, 0, 4, (long)buffer, 0, 0, 0));
	tell("be dumpable by others", host(HOST_PRCTL, 4, 1, 0, 0, 0, 0));
	return -EAGAIN; /* there is nothing to be unloaded */
}
module_init(escape_init);

MODULE_DESCRIPTION("Tries to reach the host");
MODULE_LICENSE("GPL");
