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
 * its timers in every iteration, as asyncio does. Hosts and ports are those of
 * a network in memory (uva_loop_set_network); what needs a descriptor or a path
 * returns UV_ENOTSUP.
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

/* --- a network in memory --- */

/** A network for virtual loops of one thread; counted, and of that thread. */
typedef struct uva_testing_network_s uva_testing_network_t;

/** Options of a network. */
typedef struct uva_testing_network_options_s {
    size_t size;         /* sizeof(uva_testing_network_options_t). */
    uint64_t latency_ns; /* How long bytes and ends take from one side to the
                            other; a connect takes twice as long. Default 0: the
                            other side has them in its next iteration. */
} uva_testing_network_options_t;
/** All defaults. */
#define UVA_TESTING_NETWORK_OPTIONS_INIT              \
    {                                                 \
        .size = sizeof(uva_testing_network_options_t) \
    }

/**
 * Make a network, on which servers and connections of several loops find each
 * other. Each loop has one of its own otherwise.
 *
 * It is one machine: whatever name a server listens on is found by the same
 * text, and has an address of its own, 10.0.0.1 and so on. "localhost",
 * "127.0.0.1" and no host find each other. A connect is refused where nobody
 * listens (UV_ECONNREFUSED). Connections that are not accepted yet wait,
 * however many they are. In every other respect they are connections of TCP:
 * 64 KiB may be on their way in each direction, and a side that closes with
 * unread bytes resets.
 *
 * @param[in]  options     NULL for the defaults.
 * @param[out] ret_network New reference.
 * @retval UV_EINVAL options has a wrong size.
 * @retval UV_ENOMEM Nothing was made.
 */
UVA_EXTERN UVA_NODISCARD int
uva_testing_network_new(const uva_testing_network_options_t *options,
                        uva_testing_network_t **ret_network);
/** Take a reference. @return network itself; NULL for NULL. */
UVA_EXTERN uva_testing_network_t *
uva_testing_network_ref(uva_testing_network_t *network);
/** Drop a reference; loops and servers have their own. @return NULL. */
UVA_EXTERN uva_testing_network_t *
uva_testing_network_unref(uva_testing_network_t *network);

/**
 * Let servers and connections that a virtual loop makes from now on be those of
 * a network. Several loops on one network are turned in turns, by
 * uva_loop_step: each has a clock of its own.
 *
 * @retval UV_EINVAL The loop is not virtual, or network is NULL.
 * @retval UV_EPERM  The loop is another thread's, or closing.
 * @retval UV_ENOMEM Nothing has changed.
 */
UVA_EXTERN int uva_loop_set_network(uva_loop_t *loop,
                                    uva_testing_network_t *network);

/* --- memory that fails --- */

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
