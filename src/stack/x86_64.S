/*
 * The switch for x86-64, System V ABI, ELF.
 *
 * A suspended context is its stack pointer; upwards from it lie r15 r14 r13
 * r12 rbx rbp and the address to go on at. MXCSR and the x87 control word are
 * not saved: they belong to the thread.
 *
 * It ends with `ret`: yields come from the same call on every stack, so the
 * return predictor is right although the stack is another one. `pop; jmp` there
 * would leave one return address too many with the predictor, and each yield
 * would pay for it in every frame. uva__switch_leave does just that on purpose:
 * who leaves by a call for a place that was left by none is waited for by a
 * `ret` that needs the address. jump.h has the form with neither.
 *
 * No endbr64 at uva__switch: it is hidden and its address is never taken.
 */
#if defined(__x86_64__) && defined(__LP64__) && defined(__ELF__) && \
    !defined(UVA_SWITCH_UCONTEXT)

        .text

/* The frame, the stack, the frame there; rax and rdx pass. */
        .macro switch_stacks
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
        .endm

/* {rax code, rdx given} uva__switch(void **save_sp, void **to_sp, void *given)
 * int uva__switch_code: the same. */
        .globl uva__switch
        .hidden uva__switch
        .type uva__switch, @function
        .globl uva__switch_code
        .hidden uva__switch_code
        .type uva__switch_code, @function
        .balign 32
uva__switch:
uva__switch_code:
        .cfi_startproc
        xorl %eax, %eax
        switch_stacks
        ret
        .cfi_endproc
        .size uva__switch, . - uva__switch
        .size uva__switch_code, . - uva__switch_code

/* uva__switch_leave, uva__switch_leave_code: the same, entering by a jump. */
        .globl uva__switch_leave
        .hidden uva__switch_leave
        .type uva__switch_leave, @function
        .globl uva__switch_leave_code
        .hidden uva__switch_leave_code
        .type uva__switch_leave_code, @function
        .balign 32
uva__switch_leave:
uva__switch_leave_code:
        .cfi_startproc
        xorl %eax, %eax
        switch_stacks
        popq %rcx
        .cfi_adjust_cfa_offset -8
        .cfi_register %rip, %rcx
        notrack jmpq *%rcx
        .cfi_endproc
        .size uva__switch_leave, . - uva__switch_leave
        .size uva__switch_leave_code, . - uva__switch_leave_code

/* {code, given} uva__switch_with(save_sp, to_sp, given, intptr_t code) */
        .globl uva__switch_with
        .hidden uva__switch_with
        .type uva__switch_with, @function
        .balign 16
uva__switch_with:
        .cfi_startproc
        movq %rcx, %rax
        switch_stacks
        ret
        .cfi_endproc
        .size uva__switch_with, . - uva__switch_with

/* Where a server starts, and begins anew whenever it is resumed; rsp is the top
 * of the stack, above which lies its uva__stack_t. It keeps no register, so of
 * its frame only the address is written. */
        .hidden uva__serve_run
        .hidden uva__serve_next
        .globl uva__switch_serve
        .hidden uva__switch_serve
        .type uva__switch_serve, @function
        .balign 16
uva__switch_serve:
        .cfi_startproc
        .cfi_undefined %rip
        .cfi_undefined %rbp
        endbr64
        xorl %ebp, %ebp
        call uva__serve_run
        movq %rsp, %rdi
        call uva__serve_next            /* {rax to, rdx given} */
        testq %rax, %rax
        je uva__switch_serve
        leaq uva__switch_serve(%rip), %rcx
        movq %rcx, -8(%rsp)
        movq (%rax), %rsp
        xorl %eax, %eax
        popq %r15
        popq %r14
        popq %r13
        popq %r12
        popq %rbx
        popq %rbp
        ret
        .cfi_endproc
        .size uva__switch_serve, . - uva__switch_serve

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
