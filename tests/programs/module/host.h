/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a board's kernel needs to make system calls of the host's, as any of its modules can:
 * a User Mode Linux kernel is a process of the host's.
 */

static long host(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 asm("r10") = d;
	register long r8 asm("r8") = e;
	register long r9 asm("r9") = f;
	long ret;

	asm volatile("syscall"
		     : "=a"(ret)
		     : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
		     : "rcx", "r11", "memory");
	return ret;
}
