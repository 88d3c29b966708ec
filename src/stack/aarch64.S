/*
 * The switch for AArch64, AAPCS64, ELF.
 *
 * A suspended context is its stack pointer; upwards from it lie x19 to x28,
 * x29, x30 (where to go on) and d8 to d15. FPCR and FPSR are not saved: they
 * belong to the thread. x18 is the platform's.
 *
 * The switch ends with `ret`, for the same reason as in x86_64.S. It signs no
 * return address: the caller keeps its own on the stack, signed or not.
 */
#if defined(__aarch64__) && defined(__ELF__) && !defined(UVA_SWITCH_UCONTEXT)

        .text

/* void uva__switch(void **save_sp, void **to_sp) */
        .globl uva__switch
        .hidden uva__switch
        .type uva__switch, %function
        .balign 32
uva__switch:
        .cfi_startproc
        hint #34                        /* bti c: a far call may need it. */
        stp x19, x20, [sp, #-160]!
        .cfi_adjust_cfa_offset 160
        .cfi_rel_offset x19, 0
        .cfi_rel_offset x20, 8
        stp x21, x22, [sp, #16]
        .cfi_rel_offset x21, 16
        .cfi_rel_offset x22, 24
        stp x23, x24, [sp, #32]
        .cfi_rel_offset x23, 32
        .cfi_rel_offset x24, 40
        stp x25, x26, [sp, #48]
        .cfi_rel_offset x25, 48
        .cfi_rel_offset x26, 56
        stp x27, x28, [sp, #64]
        .cfi_rel_offset x27, 64
        .cfi_rel_offset x28, 72
        stp x29, x30, [sp, #80]
        .cfi_rel_offset x29, 80
        .cfi_rel_offset x30, 88
        stp d8, d9, [sp, #96]
        .cfi_rel_offset d8, 96
        .cfi_rel_offset d9, 104
        stp d10, d11, [sp, #112]
        .cfi_rel_offset d10, 112
        .cfi_rel_offset d11, 120
        stp d12, d13, [sp, #128]
        .cfi_rel_offset d12, 128
        .cfi_rel_offset d13, 136
        stp d14, d15, [sp, #144]
        .cfi_rel_offset d14, 144
        .cfi_rel_offset d15, 152
        mov x9, sp
        str x9, [x0]
        ldr x9, [x1]
        mov sp, x9
        /* The layout is the same on the other stack, so the rules hold. */
        ldp x21, x22, [sp, #16]
        ldp x23, x24, [sp, #32]
        ldp x25, x26, [sp, #48]
        ldp x27, x28, [sp, #64]
        ldp x29, x30, [sp, #80]
        ldp d8, d9, [sp, #96]
        ldp d10, d11, [sp, #112]
        ldp d12, d13, [sp, #128]
        ldp d14, d15, [sp, #144]
        ldp x19, x20, [sp], #160
        .cfi_adjust_cfa_offset -160
        .cfi_restore x19
        .cfi_restore x20
        .cfi_restore x21
        .cfi_restore x22
        .cfi_restore x23
        .cfi_restore x24
        .cfi_restore x25
        .cfi_restore x26
        .cfi_restore x27
        .cfi_restore x28
        .cfi_restore x29
        .cfi_restore x30
        .cfi_restore d8
        .cfi_restore d9
        .cfi_restore d10
        .cfi_restore d11
        .cfi_restore d12
        .cfi_restore d13
        .cfi_restore d14
        .cfi_restore d15
        ret
        .cfi_endproc
        .size uva__switch, . - uva__switch

/* Where a made context starts: x19 holds the entry function, x29 is 0. The
 * undefined return address ends every unwinder's walk. */
        .globl uva__switch_thunk
        .hidden uva__switch_thunk
        .type uva__switch_thunk, %function
        .balign 16
uva__switch_thunk:
        .cfi_startproc
        .cfi_undefined x30
        .cfi_undefined x29
        hint #34
        blr x19
        brk #0
        .cfi_endproc
        .size uva__switch_thunk, . - uva__switch_thunk

/* BTI: yes. */
        .section .note.gnu.property, "a", %note
        .balign 8
        .long 4, 16, 5
        .asciz "GNU"
        .long 0xc0000000, 4, 1, 0

#endif

#if defined(__ELF__)
        .section .note.GNU-stack, "", %progbits
#endif
