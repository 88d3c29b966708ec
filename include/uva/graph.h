/**
 * @file
 * The call graph of a future (who waits for whom), and all tasks of a loop.
 */
#ifndef UVA_GRAPH_H
#define UVA_GRAPH_H

#include <stdio.h>

#include "uva/types.h"

UVA_BEGIN_DECLS

/**
 * The await graph of a future as text: what it waits for, and recursively who
 * waits for it. A cycle is named and not followed.
 *
 * @param future     Borrowed; NULL for the running task.
 * @param ret_buffer Gets the text; owned by the caller.
 * @retval UV_EINVAL No future was given and no task runs.
 * @asyncio format_call_graph
 */
UVA_EXTERN UVA_NODISCARD int uva_format_call_graph(uva_future_t *future,
                                                   uva_buffer_t *ret_buffer);
/** The same, to a file. @asyncio print_call_graph */
UVA_EXTERN int uva_print_call_graph(uva_future_t *future, FILE *file);

/** All unfinished tasks of a loop, a line each: name, function, state, and
 * where it waits for what. @retval UVA_ENOLOOP loop is NULL. */
UVA_EXTERN UVA_NODISCARD int uva_loop_format_tasks(uva_loop_t *loop,
                                                   uva_buffer_t *ret_buffer);
/** The same, to a file. @retval UV_EIO The file did not take all of it. */
UVA_EXTERN int uva_loop_print_tasks(uva_loop_t *loop, FILE *file);

UVA_END_DECLS

#endif /* UVA_GRAPH_H */
