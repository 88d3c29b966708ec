/*
 * Transports on stream handles of the application (asyncio has none: its loop
 * owns every transport's socket).
 */
#include "core/owner.h"
#include "io/medium_uv_lent.h"
#include "io/service.h"
#include "io/stream_transport.h"

/* The address of the peer, if the handle is a socket that has one. */
static uva__sockaddr_t adopt_peer(const uva__medium_t *medium)
{
    uva__sockaddr_t peer;
    int fd = medium->ops->fileno(medium);

    if (fd < 0 || uva__sockaddr_of_peer(fd, &peer) < 0) {
        peer.any.sa_family = AF_UNSPEC;
    }
    return peer;
}

int uva__transport_adopt(uv_stream_t *stream,
                         const uva__factory_t *factory,
                         size_t limit_bytes,
                         uva_transport_t **ret_transport)
{
    uva_loop_t *loop = uva__running();
    uva__transport_kind_t kind;
    uva__sockaddr_t peer;
    uva__medium_t *medium;
    uva__io_t *io;
    int r = loop == NULL ? UVA_ENOLOOP : uva__io_get(loop, &io);

    if (r >= 0) {
        r = uva__transport_kind(&kind, factory, limit_bytes, 0, 0, 0);
    }
    if (r >= 0) {
        r = stream == NULL ? UV_EINVAL : uva__medium_uv(loop, stream, &medium);
    }
    if (r >= 0) {
        peer = adopt_peer(medium);
        r = uva__transport_new(loop, &kind, medium, &peer, NULL, ret_transport);
    }
    if (r < 0) {
        return uva__bare(r);
    }
    uva__transport_open(uva_transport_ref(*ret_transport));
    return 0;
}
