/*
 * The calls that are under way on a stack, innermost first, as code addresses;
 * and the names of such addresses.
 */
#ifndef UVA__STACK_FRAMES_H
#define UVA__STACK_FRAMES_H

#include <stddef.h>
#include <stdint.h>

/**
 * Collect the calls that the calling thread is in. In a signal handler these
 * are the calls that the signal has interrupted, on whatever stack they are.
 *
 * Signal-safe where the unwinder is, once it was called outside of a handler:
 * its first call may load a library.
 *
 * @param end No frame that begins above this address of the stack is taken; 0
 *            for no limit. Ignored on stacks that do not reach up to it.
 * @return How many were stored; 0 where there is no unwinder.
 */
size_t uva__frames_take(uintptr_t *frames, size_t count, uintptr_t end);

/**
 * Append a line for each frame: its function, if the dynamic linker knows it,
 * its file and its offset in it, as addr2line wants it. What does not fit is
 * left out, always by whole lines.
 *
 * @return Bytes of the text, which ends with a 0.
 */
size_t uva__frames_describe(char *text,
                            size_t size,
                            const uintptr_t *frames,
                            size_t count);

#endif /* UVA__STACK_FRAMES_H */
