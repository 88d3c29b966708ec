/*
 * Descriptors 0 to 2, of which a program may have been started without.
 */
#ifndef UVA__BASE_DESCRIPTORS_H
#define UVA__BASE_DESCRIPTORS_H

#include <stdbool.h>

/** Whether the program was started with a standard error: if not, its
 * descriptor may be anything, the socket of a client too. */
bool uva__has_stderr(void);
/** Open /dev/null in place of those that are closed, so that nothing else comes
 * to lie there. */
void uva__fill_standard_descriptors(void);

#endif /* UVA__BASE_DESCRIPTORS_H */
