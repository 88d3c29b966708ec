/*
 * Descriptors that go along with the bytes of a transport on a unix socket
 * (Python: socket.send_fds, socket.recv_fds, of which asyncio has no twin).
 */
#include "core/owner.h"
#include "io/stream_write.h"
#include "io/transports.h"

/* The way of descriptors that are in order. The write behind them gets what
 * they stand beside out of collection: each send carries one message. */
static int transport_send_fds(uva_transport_t *transport,
                              uva_bytes_t data,
                              const int *fds,
                              size_t count)
{
    uva__medium_t *carrier;
    int r = uva__medium_fds(&transport->medium, transport->loop, &carrier);

    if (r >= 0) {
        r = uva__medium_send_fds(carrier, transport->out.bytes, fds, count);
    }
    if (r < 0) {
        return uva__bare(r);
    }
    r = uva_transport_write(transport, data.data, data.size);
    if (transport->state >= UVA__TRANSPORT_LOST) {
        return r; /* The medium has closed them. */
    }
    if (r < 0) {
        uva__medium_unsend_fds(carrier);
    } else {
        uva__transport_send_collected(transport);
    }
    return r;
}

int uva_transport_send_fds(uva_transport_t *transport,
                           const void *data,
                           size_t size,
                           const int *fds,
                           size_t count)
{
    if (!uva__loop_owned(transport->loop)) {
        return uva__bare(UV_EPERM);
    }
    if (transport->medium_kind != UVA_MEDIUM_UNIX) {
        return uva__bare(UV_ENOTSUP);
    }
    if (size == 0 || count == 0 || count > UVA_FDS_MOST) {
        return uva__bare(UV_EINVAL);
    }
    uva__transport_send_collected(transport);
    if (transport->state >= UVA__TRANSPORT_LOST) { /* It drops all writes. */
        return uva_transport_write(transport, data, size);
    }
    if (transport->filtering) {
        return uva__bare(UV_EPERM);
    }
    return uva__medium_passes_fds(transport->medium)
               ? transport_send_fds(transport, (uva_bytes_t){data, size}, fds,
                                    count)
               : uva__bare(UV_ENOTSUP);
}

int uva_transport_receive_fds(uva_transport_t *transport, size_t most_count)
{
    if (!uva__loop_owned(transport->loop) ||
        transport->state >= UVA__TRANSPORT_CLOSING) {
        return uva__bare(UV_EPERM);
    }
    if (!uva__medium_passes_fds(transport->medium)) {
        return uva__bare(UV_ENOTSUP);
    }
    return uva__bare(uva__transport_receive_fds(
        transport, most_count == 0 ? UVA_FDS_MOST : most_count));
}

size_t uva_transport_take_fds(uva_transport_t *transport, int *fds, size_t room)
{
    return transport->more == NULL || !uva__loop_owned(transport->loop)
               ? 0
               : uva__fds_take(&transport->more->fds, fds, room);
}
