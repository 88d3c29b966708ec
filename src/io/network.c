/*
 * A network in memory (asyncio has none; its tests mock sockets).
 *
 * It is one machine with many names: every name has an address, and whoever
 * connects to an address has the same one. Names are compared as text. An
 * address of all, "0.0.0.0" or "::", stands for the loopback address.
 *
 * A connection is a pair of media (medium_memory.c). The server's side waits in
 * the binding until it has arrived, and then until it is accepted.
 *
 * Invariant: a binding is in the list of its network until it is closed, and in
 * memory until its node has run. Everything here belongs to one thread, that of
 * the loops.
 */
#include "io/network.h"

#include <string.h>

#include "base/alloc.h"
#include "base/list.h"
#include "core/loop.h"
#include "core/ready.h"
#include "io/medium_memory.h"

/* The ports that the network chooses from: IANA's range. */
#define PORT_FIRST 49152u
#define PORTS      16384u

#define CAPACITY   65536u    /* Bytes on their way in one direction. */
#define NAMES_MOST 0xfeffffu /* They have addresses from 10.0.0.1 on. */

typedef struct name_s {
    uva_list_t link; /* Of uva_testing_network_t.names. */
    uint32_t number; /* From 1 on. */
    char host[];
} name_t;

struct uva_testing_network_s {
    uint32_t refs; /* Of users, loops and bindings. */
    uint32_t name_count;
    uint64_t latency_ns;
    uint32_t next_port; /* From 0 on: the next one to be chosen. */
    uva_list_t names;
    uva_list_t bindings; /* Of uva__binding_t.link. */
};

struct uva__binding_s {
    uva_list_t link;
    uva_testing_network_t *network; /* Counted. */
    uva_loop_t *loop;               /* Borrowed. */
    uva__sockaddr_t address;
    void (*arrived)(void *data);
    void *data;         /* Borrowed. */
    uva_list_t waiting; /* Of waiting_t.link: not accepted, oldest first. */
    size_t there_count; /* Of waiting, those that have arrived. */
    uva__ready_t ready; /* Calls arrived. */
    bool listens;
    bool watched;
    bool queued; /* ready is in the queue. */
    bool closed; /* The node frees it. */
};

/* The server's side of a connection that is not accepted. */
typedef struct waiting_s {
    uva_list_t link;
    uva__binding_t *binding; /* Borrowed: it has this. */
    uva__medium_t *medium;   /* Owned. */
    uva__sockaddr_t peer;
    bool there; /* It has arrived. */
} waiting_t;

/* --- networks --- */

int uva_testing_network_new(const uva_testing_network_options_t *options,
                            uva_testing_network_t **ret_network)
{
    uva_testing_network_options_t has = UVA_TESTING_NETWORK_OPTIONS_INIT;
    uva_testing_network_t *network;

    if (options != NULL &&
        !uva__options_copy(&has, sizeof has, sizeof has, options)) {
        return uva__bare(UV_EINVAL);
    }
    network = uva__calloc(1, sizeof *network);
    if (network == NULL) {
        return uva__bare(UV_ENOMEM);
    }
    network->refs = 1;
    network->latency_ns = has.latency_ns;
    uva__list_init(&network->names);
    uva__list_init(&network->bindings);
    *ret_network = network;
    return 0;
}

uva_testing_network_t *uva_testing_network_ref(uva_testing_network_t *network)
{
    if (network != NULL) {
        network->refs++;
    }
    return network;
}

uva_testing_network_t *uva_testing_network_unref(uva_testing_network_t *network)
{
    if (network == NULL || --network->refs > 0) {
        return NULL;
    }
    while (!uva__list_empty(&network->names)) {
        name_t *name = UVA__LIST_FIRST(&network->names, name_t, link);
        uva__list_remove(&name->link);
        uva__free(name);
    }
    uva__free(network);
    return NULL;
}

/* --- addresses --- */

/* The address of a name: 10.0.0.1 and so on, or fd00::1. Number 0 is the
 * loopback address. */
static uva__sockaddr_t network_address(uint32_t number, int family, int port)
{
    uva__sockaddr_t address;

    memset(&address, 0, sizeof address);
    if (family == AF_INET6) {
        uint8_t *bytes = address.in6.sin6_addr.s6_addr;
        address.size = sizeof address.in6;
        address.in6.sin6_family = AF_INET6;
        address.in6.sin6_port = htons((uint16_t)port);
        bytes[0] = number == 0 ? 0 : 0xfd;
        bytes[13] = (uint8_t)(number >> 16);
        bytes[14] = (uint8_t)(number >> 8);
        bytes[15] = number == 0 ? 1 : (uint8_t)number;
    } else {
        address.size = sizeof address.in;
        address.in.sin_family = AF_INET;
        address.in.sin_port = htons((uint16_t)port);
        address.in.sin_addr.s_addr =
            htonl(number == 0 ? INADDR_LOOPBACK : 0x0a000000u + number);
    }
    return address;
}

static void address_set_port(uva__sockaddr_t *address, uint32_t port)
{
    if (address->any.sa_family == AF_INET6) {
        address->in6.sin6_port = htons((uint16_t)port);
    } else {
        address->in.sin_port = htons((uint16_t)port);
    }
}

static uint16_t address_port(const uva__sockaddr_t *address)
{
    return ntohs(address->any.sa_family == AF_INET6 ? address->in6.sin6_port
                                                    : address->in.sin_port);
}

uva__sockaddr_t uva__network_reached(const uva__sockaddr_t *address)
{
    uva__sockaddr_t found = *address;

    if (found.any.sa_family == AF_INET &&
        found.in.sin_addr.s_addr == htonl(INADDR_ANY)) {
        found.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else if (found.any.sa_family == AF_INET6 &&
               IN6_IS_ADDR_UNSPECIFIED(&found.in6.sin6_addr)) {
        found.in6.sin6_addr = in6addr_loopback;
    }
    return found;
}

static name_t *network_name(uva_testing_network_t *network, const char *host)
{
    size_t size = strlen(host) + 1;
    name_t *name;

    UVA__LIST_FOREACH (known, &network->names, name_t, link) {
        if (strcmp(known->host, host) == 0) {
            return known;
        }
    }
    name = network->name_count == NAMES_MOST ? NULL
                                             : uva__malloc(sizeof *name + size);
    if (name != NULL) {
        name->number = ++network->name_count;
        memcpy(name->host, host, size);
        uva__list_append(&network->names, &name->link);
    }
    return name;
}

int uva__network_resolve(uva_testing_network_t *network,
                         const char *host,
                         int family,
                         int port,
                         uva__sockaddr_t *ret_address)
{
    struct sockaddr_in number;
    const name_t *name;

    if (strchr(host, ':') != NULL || uv_ip4_addr(host, 0, &number) == 0) {
        return UV_EAI_NONAME;
    }
    if (strcmp(host, "localhost") == 0) {
        *ret_address = network_address(0, family, port);
        return 0;
    }
    name = network_name(network, host);
    if (name == NULL) {
        return UV_ENOMEM;
    }
    *ret_address = network_address(name->number, family, port);
    return 0;
}

/* The server at an address, or NULL. */
static uva__binding_t *network_find(uva_testing_network_t *network,
                                    const uva__sockaddr_t *address)
{
    uva__sockaddr_t wanted = uva__network_reached(address);

    UVA__LIST_FOREACH (binding, &network->bindings, uva__binding_t, link) {
        uva__sockaddr_t has = uva__network_reached(&binding->address);
        if (uva__sockaddr_equal(&has, &wanted)) {
            return binding;
        }
    }
    return NULL;
}

/* Give an address a port if it has none: the next one that no server has.
 * @retval UV_EADDRINUSE Servers have all of them, or the one asked for. */
static int network_choose(uva_testing_network_t *network,
                          uva__sockaddr_t *address)
{
    if (address_port(address) != 0) {
        return network_find(network, address) == NULL ? 0 : UV_EADDRINUSE;
    }
    for (uint32_t i = 0; i < PORTS; i++) {
        uint32_t port = PORT_FIRST + network->next_port;
        network->next_port = (network->next_port + 1) % PORTS;
        address_set_port(address, port);
        if (network_find(network, address) == NULL) {
            return 0;
        }
    }
    return UV_EADDRINUSE;
}

/* --- bindings --- */

static void binding_free(uva__binding_t *binding)
{
    uva_testing_network_unref(binding->network);
    uva__free(binding);
}

/* Queue the node if there is something to accept. */
static void binding_changed(uva__binding_t *binding)
{
    if (binding->watched && binding->there_count > 0 && !binding->queued) {
        binding->queued = true;
        uva__loop_push(binding->loop, &binding->ready);
    }
}

static void binding_run(uva__ready_t *ready)
{
    uva__binding_t *binding = UVA__CONTAINER_OF(ready, uva__binding_t, ready);

    if (!binding->closed && binding->watched && binding->there_count > 0) {
        binding->arrived(binding->data); /* It is queued, so a close inside does
                                            not free it. */
    }
    binding->queued = false;
    if (binding->closed) {
        binding_free(binding);
    } else {
        binding_changed(binding); /* Not all were accepted. */
    }
}

static void binding_drop(uva__ready_t *ready)
{
    uva__binding_t *binding = UVA__CONTAINER_OF(ready, uva__binding_t, ready);

    binding->queued = false;
    if (binding->closed) {
        binding_free(binding);
    }
}

static const uva__ready_ops_t binding_ops = {.run = binding_run,
                                             .drop = binding_drop};

int uva__network_bind(uva_testing_network_t *network,
                      uva_loop_t *loop,
                      const uva__sockaddr_t *address,
                      void (*arrived)(void *data),
                      void *data,
                      uva__binding_t **ret_binding)
{
    uva__sockaddr_t chosen = *address;
    int r = network_choose(network, &chosen);
    uva__binding_t *binding;

    if (r < 0) {
        return r;
    }
    binding = uva__calloc(1, sizeof *binding);
    if (binding == NULL) {
        return UV_ENOMEM;
    }
    binding->network = uva_testing_network_ref(network);
    binding->loop = loop;
    binding->address = chosen;
    binding->arrived = arrived;
    binding->data = data;
    binding->ready.ops = &binding_ops;
    uva__list_init(&binding->waiting);
    uva__list_append(&network->bindings, &binding->link);
    *ret_binding = binding;
    return 0;
}

void uva__binding_listen(uva__binding_t *binding)
{
    binding->listens = true;
}

void uva__binding_watch(uva__binding_t *binding, bool wanted)
{
    binding->watched = wanted;
    binding_changed(binding);
}

const uva__sockaddr_t *uva__binding_address(const uva__binding_t *binding)
{
    return &binding->address;
}

/* The connection is no longer the binding's. @return Its medium. */
static uva__medium_t *waiting_end(waiting_t *waiting)
{
    uva__medium_t *medium = waiting->medium;

    waiting->binding->there_count -= waiting->there;
    uva__list_remove(&waiting->link);
    uva__slab_put(&waiting->binding->loop->slab, waiting, sizeof *waiting);
    return medium;
}

int uva__binding_accept(uva__binding_t *binding,
                        uva__sockaddr_t *ret_peer,
                        uva__medium_t **ret_medium)
{
    UVA__LIST_FOREACH_SAFE(waiting, &binding->waiting, waiting_t, link)
    {
        if (waiting->there) {
            *ret_peer = waiting->peer;
            *ret_medium = waiting_end(waiting);
            return 0;
        }
    }
    return UV_EAGAIN;
}

void uva__binding_close(uva__binding_t *take_binding)
{
    uva__list_remove(&take_binding->link);
    while (!uva__list_empty(&take_binding->waiting)) {
        waiting_t *waiting =
            UVA__LIST_FIRST(&take_binding->waiting, waiting_t, link);
        uva__medium_memory_reset(waiting_end(waiting));
    }
    take_binding->closed = true;
    if (!take_binding->queued) {
        binding_free(take_binding);
    }
}

/* --- connections --- */

/* The server's side of a connection has arrived. */
static void waiting_ready(void *upper, int events)
{
    waiting_t *waiting = upper;

    (void)events;
    (void)waiting->medium->ops->watch(waiting->medium, 0);
    waiting->there = true;
    waiting->binding->there_count++;
    binding_changed(waiting->binding);
}

/* The address that a connection comes from. */
static int network_source(uva_testing_network_t *network,
                          const uva__sockaddr_t *to,
                          const uva__addresses_t *locals,
                          uva__sockaddr_t *ret_from)
{
    *ret_from = *to;
    address_set_port(ret_from, 0);
    for (size_t i = 0; i < locals->count; i++) {
        if (locals->items[i].any.sa_family == to->any.sa_family) {
            *ret_from = uva__network_reached(&locals->items[i]);
            return network_choose(network, ret_from);
        }
    }
    return locals->count > 0 ? UV_EADDRNOTAVAIL
                             : network_choose(network, ret_from);
}

int uva__network_connect(uva_testing_network_t *network,
                         uva_loop_t *loop,
                         const uva__sockaddr_t *address,
                         const uva__addresses_t *locals,
                         uva__medium_t **ret_medium)
{
    uva__sockaddr_t to = uva__network_reached(address);
    uva__binding_t *binding = network_find(network, &to);
    uva__memory_pair_t pair = {.capacity_bytes = CAPACITY,
                               .latency_ns = network->latency_ns,
                               .connects = true};
    uva__medium_t *media[2];
    uva__sockaddr_t from;
    waiting_t *waiting;
    int r = network_source(network, &to, locals, &from);

    if (r < 0) {
        return r;
    }
    if (binding == NULL || !binding->listens) {
        return uva__medium_memory_refused(loop, UV_ECONNREFUSED,
                                          2 * network->latency_ns, ret_medium);
    }
    waiting = uva__slab_get(&binding->loop->slab, sizeof *waiting);
    if (waiting == NULL) {
        return UV_ENOMEM;
    }
    pair.loops[0] = loop;
    pair.loops[1] = binding->loop;
    pair.names[0] = &from;
    pair.names[1] = &to;
    r = uva__medium_memory_pair(&pair, media);
    if (r < 0) {
        uva__slab_put(&binding->loop->slab, waiting, sizeof *waiting);
        return r;
    }
    *waiting =
        (waiting_t){.binding = binding, .medium = media[1], .peer = from};
    uva__list_append(&binding->waiting, &waiting->link);
    uva__medium_give(media[1], waiting_ready, waiting);
    (void)media[1]->ops->watch(media[1], UV_WRITABLE);
    *ret_medium = media[0];
    return 0;
}
