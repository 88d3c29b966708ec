/*
 * Two transports in memory that are each other's peer (what socketpair is for
 * sockets; asyncio has no such transports).
 */
#include "core/owner.h"
#include "io/medium_memory.h"
#include "io/service.h"
#include "io/stream_transport.h"

#define CAPACITY_BYTES 65536u

int uva__transport_pair(size_t capacity_bytes,
                        const uva__factory_t factories[2],
                        uva_transport_t *ret_transports[2])
{
    uva_loop_t *loop = uva__running();
    uva__sockaddr_t nobody = {.any = {.sa_family = AF_UNSPEC}};
    uva__transport_kind_t kinds[2];
    uva__medium_t *media[2];
    uva_transport_t *transports[2];
    uva__io_t *io;
    int r = loop == NULL ? UVA_ENOLOOP : uva__io_get(loop, &io);

    for (int i = 0; r >= 0 && i < 2; i++) {
        r = uva__transport_kind(&kinds[i], &factories[i], 0, 0, 0, 0);
    }
    if (r >= 0) {
        const uva__memory_pair_t pair = {
            .loops = {loop, loop},
            .capacity_bytes =
                capacity_bytes == 0 ? CAPACITY_BYTES : capacity_bytes};
        r = uva__medium_memory_pair(&pair, media);
    }
    for (int i = 0; r >= 0 && i < 2; i++) {
        r = uva__transport_new(loop, &kinds[i], media[i], &nobody, NULL,
                               &transports[i]);
        if (r < 0 && i == 0) { /* Its own medium is closed already. */
            media[1]->ops->close(media[1], loop);
        } else if (r < 0) {
            uva__transport_discard(transports[0]);
        }
    }
    if (r < 0) {
        return uva__bare(r);
    }
    for (int i = 0; i < 2; i++) {
        uva__transport_open(uva_transport_ref(transports[i]));
        ret_transports[i] = transports[i];
    }
    return 0;
}
