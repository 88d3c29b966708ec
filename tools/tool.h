/*
 * The words of the uva command, and what more than one of them needs.
 */
#ifndef UVA_TOOLS_TOOL_H
#define UVA_TOOLS_TOOL_H

#include <stdint.h>

/** `uva crawl`. argv[0] is the word. @return Exit status. */
int crawl_main(int argc, char **argv);

/** The monotonic clock. */
uint64_t clock_ns(void);
/** Processor time of this process, in milliseconds. */
double cpu_ms(void);

#endif /* UVA_TOOLS_TOOL_H */
