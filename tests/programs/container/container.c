// SPDX-License-Identifier: GPL-2.0
/*
 * container [-n|-m] COMMAND: run a command, by sh, under what Docker's default seccomp
 * profile denies to a container without capabilities (moby,
 * profiles/seccomp/default.json) and that has to do with namespaces, mounts and how a
 * process is set up. With -n clone may make namespaces; all else stays denied. With -m
 * there can be mounts in them, too.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, what)
#define DENY(call, error) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 1), RETURN(SECCOMP_RET_ERRNO | error)

#define DENY_UNLESS(allowed, call) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 1), \
	RETURN((allowed) ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | EPERM)

/* As the profile has them; clone's flags stand in the lower half of its first argument. */
#define NAMESPACES (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | \
		    CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

int main(int argc, char **argv)
{
	int mounts = argc > 2 && !strcmp(argv[1], "-m");
	int allow = mounts || (argc > 2 && !strcmp(argv[1], "-n"));
	struct sock_filter filter[] = {
		LOAD(nr),
		DENY(clone3, ENOSYS), /* its flags are in memory */
		DENY(unshare, EPERM),
		DENY(setns, EPERM),
		DENY_UNLESS(mounts, mount),
		DENY_UNLESS(mounts, umount2),
		DENY_UNLESS(mounts, pivot_root),
		DENY(personality, EPERM), /* the profile allows some that nobody here asks for */
		DENY(keyctl, EPERM),
		DENY(bpf, EPERM),
		DENY(perf_event_open, EPERM),
		DENY(userfaultfd, EPERM),
		DENY(io_uring_setup, EPERM),
		DENY(open_by_handle_at, EPERM),
		DENY(kcmp, EPERM),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3),
		LOAD(args[0]),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, allow ? 0 : NAMESPACES, 0, 1),
		RETURN(SECCOMP_RET_ERRNO | EPERM),
		RETURN(SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(*filter), filter };

	if (argc < 2) {
		fprintf(stderr, "usage: container [-n|-m] COMMAND\n");
		return 2;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
		perror("seccomp");
		return 3;
	}
	execl("/bin/sh", "sh", "-c", argv[argc - 1], NULL);
	perror("/bin/sh");
	return 3;
}
