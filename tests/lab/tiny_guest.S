/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tiny_guest.S -- the smallest guest: an ELF kernel with a PVH entry that says "= tiny" on COM1 and sleeps for good
 *
 *	gcc -nostdlib -static -Wl,-Ttext-segment=0x200000,--build-id=none -o tiny_guest tiny_guest.S
 */
	.section .note.pvh, "a", @note
	.long	4, 4, 18
	.string	"Xen"
	.long	start

	.text
	.code32
	.globl	_start
_start:
start:
	mov	$text, %esi
	mov	$0x3f8, %edx
next:
	lodsb
	test	%al, %al
	jz	sleep
	out	%al, %dx
	jmp	next
sleep:
	cli
	hlt
	jmp	sleep
text:
	.string	"= tiny\r\n"
	.section .note.GNU-stack, "", @progbits
