/*
 * A bar on standard error that shows how far a crawl is: on a terminal only,
 * and gone when it ends.
 */
#ifndef UVA_TOOLS_PROGRESS_H
#define UVA_TOOLS_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct progress_s {
    /* private */
    bool is_shown;
    size_t total;
    size_t done;
    size_t failed;
    uint64_t began_ns;
    uint64_t drawn_ns;
} progress_t;

void progress_begin(progress_t *progress, size_t total);
/** One more is done. */
void progress_step(progress_t *progress, bool failed);
/** Take the bar away, for a line that is to stay; the next step draws it
 * again. */
void progress_clear(progress_t *progress);

#endif /* UVA_TOOLS_PROGRESS_H */
