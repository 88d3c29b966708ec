/*
 * Descriptors 0 to 2, of which a program may have been started without.
 */
#ifndef UVA__BASE_DESCRIPTORS_H
#define UVA__BASE_DESCRIPTORS_H

#include <stdbool.h>

/** Whether the program was started with a standard error. If not, descriptor 2
 * may be anything, even the socket of a client: write nothing there. @thread
 * any */
bool uva__has_stderr(void);
/** Open /dev/null in place of each of descriptors 0 to 2 that is closed, so
 * that nothing that is opened later gets its number. Called before a loop opens
 * anything. */
void uva__fill_standard_descriptors(void);

#endif /* UVA__BASE_DESCRIPTORS_H */
