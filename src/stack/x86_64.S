/*
 * The switch for x86-64, System V ABI, ELF.
 *
 * A suspended context is its stack pointer; upwards from it lie r15 r14 r13
 * r12 rbx rbp and the address to go on at. MXCSR and the x87 control word are
 * not saved: they belong to the thread.
 *
 * The switch ends with `ret`: tasks that yield one after the other come from
 * the same call, so the predictor of returns is right although the stack is
 * another one. jump.h has the form that ends with a jump.
 *
 * No endbr64 at uva__switch: it is hidden and its address is never taken.
 */
#if defined(__x86_64__) && defined(__LP64__) && defined(__ELF__) && \
    !defined(UVA_SWITCH_UCONTEXT)

        .text

/* void uva__switch(void **save_sp, void **to_sp) */
        .globl uva__switch
        .hidden uva__switch
        .type uva__switch, @function
        .balign 32
uva__switch:
        .cfi_startproc
        pushq %rbp
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbp, 0
        pushq %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbx, 0
        pushq %r12
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r12, 0
        pushq %r13
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r13, 0
        pushq %r14
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r14, 0
        pushq %r15
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r15, 0
        movq %rsp, (%rdi)
        movq (%rsi), %rsp
        /* The layout is the same on the other stack, so the rules hold. */
        popq %r15
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r15
        popq %r14
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r14
        popq %r13
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r13
        popq %r12
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r12
        popq %rbx
        .cfi_adjust_cfa_offset -8
        .cfi_restore %rbx
        popq %rbp
        .cfi_adjust_cfa_offset -8
        .cfi_restore %rbp
        ret
        .cfi_endproc
        .size uva__switch, . - uva__switch

/* Where a made context starts: rbx holds the entry function, rbp is 0, rsp is
 * aligned. The undefined return address ends every unwinder's walk. */
        .globl uva__switch_thunk
        .hidden uva__switch_thunk
        .type uva__switch_thunk, @function
        .balign 16
uva__switch_thunk:
        .cfi_startproc
        .cfi_undefined %rip
        .cfi_undefined %rbp
        endbr64
        call *%rbx
        ud2
        .cfi_endproc
        .size uva__switch_thunk, . - uva__switch_thunk

#endif

/* IBT: yes. SHSTK: no, a shadow stack would have to be switched as well. */
#if defined(__x86_64__) && defined(__ELF__)
        .section .note.gnu.property, "a", @note
        .balign 8
        .long 4, 16, 5
        .asciz "GNU"
        .long 0xc0000002, 4, 1, 0
#endif
#if defined(__ELF__)
        .section .note.GNU-stack, "", %progbits
#endif
