/**
 * @file
 * Tests without waiting: a loop on virtual time, single steps, failing
 * allocations.
 */
#ifndef UVA_TESTING_H
#define UVA_TESTING_H

#include "uva/events.h"

UVA_BEGIN_DECLS

/**
 * Make a loop whose clock starts at 0 and jumps to the next deadline when
 * nothing is ready and no call from another thread is outstanding. It looks at
 * its timers in every iteration, as asyncio does. Functions that need sockets
 * return UV_ENOTSUP on it.
 *
 * @param options NULL for the defaults.
 */
UVA_EXTERN UVA_NODISCARD int
uva_loop_new_virtual(const uva_loop_options_t *options, uva_loop_t **ret_loop);

/**
 * Run one iteration of a virtual loop that is not running: time moves on if
 * nothing is ready.
 *
 * @retval 1 Something ran.
 * @retval 0 Nothing is ready and no deadline is left.
 * @retval UV_ENOTSUP Not a virtual loop.
 */
UVA_EXTERN int uva_loop_step(uva_loop_t *loop);

/** Iterate until nothing is ready and no deadline is left.
 * @return 0, or as uva_loop_step. */
UVA_EXTERN int uva_loop_run_until_idle(uva_loop_t *loop);

/** Move virtual time forward, from inside the loop too: what a body that
 * computes for long does to real time. Deadlines passed fire in the next
 * iterations. */
UVA_EXTERN int uva_loop_advance(uva_loop_t *loop, uint64_t delay_ns);

/** Keep virtual time still while something outside the loop is awaited, such
 * as another thread; pairs with uva_loop_release. @thread any */
UVA_EXTERN void uva_loop_hold(uva_loop_t *loop);
/** Let virtual time go on. @thread any */
UVA_EXTERN void uva_loop_release(uva_loop_t *loop);

/**
 * Let the count-th allocation from now fail (1: the next), and every one after
 * it too if all is set; 0 ends it. While it is set loops take no memory from
 * their own reserve, so that each object is an allocation.
 *
 * Loops made before uva_testing_strict_allocation keep their reserve.
 */
UVA_EXTERN void uva_testing_fail_allocation(uint64_t count, bool all);
/** Let loops made from now on allocate every object by itself. */
UVA_EXTERN void uva_testing_strict_allocation(bool enabled);
/** Allocations made so far. @thread any */
UVA_EXTERN uint64_t uva_testing_allocations(void);

UVA_END_DECLS

#endif /* UVA_TESTING_H */
