/*
 * The public functions that only look at a server (asyncio.base_events,
 * Server).
 */
#include "io/server.h"

uva_loop_t *uva_server_get_loop(const uva_server_t *server)
{
    return server->loop;
}

uva_server_t *uva_transport_get_server(const uva_transport_t *transport)
{
    return transport->owner == NULL
               ? NULL
               : UVA__CONTAINER_OF(transport->owner, uva_server_t, owner);
}

bool uva_server_closing(const uva_server_t *server)
{
    return server->state == UVA__SERVER_CLOSED;
}

bool uva_server_is_serving(const uva_server_t *server)
{
    return server->state == UVA__SERVER_SERVING;
}

size_t uva_server_connection_count(const uva_server_t *server)
{
    return server->client_count;
}

size_t uva_server_socket_count(const uva_server_t *server)
{
    return server->listener_count;
}

/* asyncio: Server.sockets, which is empty once the server is closed. */
int uva_server_get_sockname(const uva_server_t *server,
                            size_t index,
                            uva_address_t *ret_address)
{
    const uva__listener_t *listener;

    if (index >= server->listener_count) {
        return uva__bare(UV_EINVAL);
    }
    listener = &server->listeners[index];
    if (listener->binding != NULL) {
        return uva__address_from(uva__binding_address(listener->binding),
                                 ret_address);
    }
    return uva__address_of_socket(listener->fd, ret_address);
}

uint16_t uva_server_port(const uva_server_t *server)
{
    uva_address_t address;

    return uva_server_get_sockname(server, 0, &address) < 0 ? 0 : address.port;
}
