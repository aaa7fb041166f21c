// SPDX-License-Identifier: GPL-2.0
// crash ends by an invalid instruction, with values in its registers that a
// debugger must find in the core file. It has no libc, so that nothing else
// touches them: gcc -static -nostdlib -mavx.
void _start(void)
{
	static const unsigned long wide[4] = { 0x1111, 0x2222, 0x3333, 0x4444 };

	__asm__ volatile("movq %0, %%xmm7\n\tmov $0xfeedface, %%r12d\n\tud2" :: "r"(wide[2]) : "xmm7", "r12");
}
