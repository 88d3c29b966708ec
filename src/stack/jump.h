/*
 * The inline form of the switch for x86-64. It leaves the frame of x86_64.S on
 * the stack, so a flow that one form suspends the other one may resume.
 *
 * The pushes are hidden from the compiler, so every file that includes this
 * header is compiled without a red zone (src/CMakeLists.txt). Skipping the red
 * zone instead would put the frame into cache lines that nothing else on the
 * stack touches.
 */
#ifndef UVA__STACK_JUMP_H
#define UVA__STACK_JUMP_H

#if defined(__x86_64__) && defined(__LP64__) && defined(__GNUC__)
#    define UVA__SWITCH_INLINE 1

/* With AVX-512 the compiler has more registers that a callee may change; it
 * must not keep a value in one of them over the switch. */
#    if defined(__AVX512F__)
#        define UVA__SWITCH_AVX512                                             \
            , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22",   \
                "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", \
                "xmm30", "xmm31", "k0", "k1", "k2", "k3", "k4", "k5", "k6",    \
                "k7"
#    else
#        define UVA__SWITCH_AVX512
#    endif

/** uva__switch without a call or a return: ends with an indirect jump. Callers
 * use uva__context_jump. */
static inline __attribute__((always_inline)) void
uva__switch_jump(void **save_sp, void **to_sp)
{
    /* The asm pushes the callee-saved registers and jumps to label 1 of the
     * flow that it resumes, or behind a call of uva__switch. No endbr64 stands
     * there, hence notrack. rdi and rsi come back with the other flow's values,
     * hence "+". */
    __asm__ volatile("leaq 1f(%%rip), %%rcx\n\t"
                     "pushq %%rcx\n\t"
                     "pushq %%rbp\n\t"
                     "pushq %%rbx\n\t"
                     "pushq %%r12\n\t"
                     "pushq %%r13\n\t"
                     "pushq %%r14\n\t"
                     "pushq %%r15\n\t"
                     "movq %%rsp, (%%rdi)\n\t"
                     "movq (%%rsi), %%rsp\n\t"
                     "popq %%r15\n\t"
                     "popq %%r14\n\t"
                     "popq %%r13\n\t"
                     "popq %%r12\n\t"
                     "popq %%rbx\n\t"
                     "popq %%rbp\n\t"
                     "popq %%rcx\n\t"
                     "notrack jmpq *%%rcx\n"
                     "1:"
                     : "+D"(save_sp), "+S"(to_sp)
                     :
                     : "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "xmm0",
                       "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",
                       "xmm14", "xmm15", "st", "st(1)", "st(2)", "st(3)",
                       "st(4)", "st(5)", "st(6)", "st(7)" UVA__SWITCH_AVX512,
                       "cc", "memory");
}

#endif

#endif /* UVA__STACK_JUMP_H */
