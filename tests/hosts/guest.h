/*
 * A guest at work on the loop of a host: tasks that sleep, talk over loopback
 * sockets and await callbacks of the host, and tasks that never end by
 * themselves. The C hosts link it, the others load it as a shared library and
 * call nothing but functions of numbers and pointers.
 *
 * A host attaches it, gives it work, turns its loop until the guest is ready,
 * and then lets both end in one of these orders:
 *
 *   guest   the guest shuts down while the host turns, then the host ends
 *   host    the host ends with the guest at work, in its usual way; where that
 *           closes every handle, the guest is told afterwards
 *   both    in one callback the guest begins to shut down and the host to end
 *   detach  in a callback the guest detaches; the host turns on, then ends
 *
 * Whatever the order, guest_finish proves that every task has ended and that
 * no memory is left.
 */
#ifndef TEST_HOSTS_GUEST_H
#define TEST_HOSTS_GUEST_H

#include <stdint.h>

#include <uva.h>

#define GUEST_API __attribute__((visibility("default")))

typedef struct guest_s guest_t;

/** Attach a loop to a host's uv_loop_t and let it begin to work. NULL: it could
 * not, and said why. */
GUEST_API guest_t *guest_attach(void *host);

/** A task that awaits a callback of the host; lingers: one that is to come
 * after the end or never. @return Its number. */
GUEST_API int guest_expect(guest_t *guest, int lingers);
/** In the host's callback: what the task has waited for. A task that was
 * cancelled meanwhile, or has ended with the loop, takes no notice. */
GUEST_API void guest_complete(guest_t *guest, int number, int value);
/** Cancel the task; its callback is still in flight. To see it wait, let the
 * guest run before, for instance until it listens. */
GUEST_API void guest_cancel(guest_t *guest, int number);
/** What it got: the value, or the code it failed with; UVA_PENDING before. */
GUEST_API int guest_result(guest_t *guest, int number);

/** A task that connects to a server of the host, which sends back what it
 * gets. */
GUEST_API void guest_talk(guest_t *guest, int port);
/** The port of the guest's own server of this kind; 0 before it listens. */
GUEST_API int guest_port(guest_t *guest);

/** A task that is to succeed, and one that is to live until the end. */
void guest_work(guest_t *guest, uva_coro_cb body, void *arg);
void guest_linger(guest_t *guest, uva_coro_cb body, void *arg);
uva_loop_t *guest_loop(guest_t *guest);

/** Count a failure, and print it. */
GUEST_API void guest_fail(guest_t *guest, const char *what);
/** Whether all work but that without an end is done. */
GUEST_API int guest_ready(guest_t *guest);

/** Begin to shut the loop down. */
GUEST_API void guest_leave(guest_t *guest);
/** End without turning the host, which may be gone. */
GUEST_API void guest_detach(guest_t *guest);
/** Whether the loop is closed and the host has nothing of it any more. */
GUEST_API int guest_gone(guest_t *guest);
/** Prove that every task has ended, and as it should. @return How many failures
 * there were. */
GUEST_API int guest_ended(guest_t *guest);
/** Prove that as well, and that nothing is left; free the guest. @return How
 * many failures there were. */
GUEST_API int guest_finish(guest_t *take_guest);
/** The same when the process exits, for a host that ends with it: detach, and
 * let a failure be the status of the process. */
GUEST_API void guest_finish_at_exit(guest_t *take_guest);

#endif /* TEST_HOSTS_GUEST_H */
