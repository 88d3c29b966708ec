/*
 * The media of what the library makes itself: sockets and descriptors of its
 * own, each on a uv_poll_t. made_uv.c is the other choice (-DUVA_IO=uv).
 */
#include "io/medium.h"

int uva__medium_connected(uva_loop_t *loop,
                          int take_fd,
                          uva__medium_t **ret_medium)
{
    return uva__medium_socket(loop, take_fd, ret_medium);
}

int uva__medium_settle(uva_loop_t *loop, uva__medium_t **medium)
{
    (void)loop;
    (void)medium; /* A medium that connects is one that is connected. */
    return 0;
}

int uva__medium_pipe(uva_loop_t *loop,
                     int take_fd,
                     bool writes,
                     uva__medium_t **ret_medium)
{
    uva__pipe_t pipe;
    int r = uva__pipe_adopt(take_fd, writes, &pipe);

    return r < 0 ? r : uva__medium_fd(loop, &pipe, writes, ret_medium);
}
