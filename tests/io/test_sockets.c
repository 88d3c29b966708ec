/*
 * Connecting: names, addresses tried in turn or staggered, failures and their
 * words, cancellation. The resolver of libc is replaced by one of ours, so that
 * a name has the addresses that a test wants.
 */
#include "kinds.h"
#include "net.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/loop.h"
#include "io/address.h"

/* --- the resolver --- */

/* What fake.test stands for; slow.test too, once it is let go. */
static const char *const *fake_hosts;
static size_t fake_count;
static uint16_t fake_port; /* What service.test stands for. */
static uv_sem_t slow_begun;
static uv_sem_t slow_goes_on;

/* A number; of IPv6 also with a scope, as "::1%7". What pads the one of IPv4
 * is up to the caller. */
static struct addrinfo *
fake_address(const char *host, uint16_t port, int family, int padding)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
                               .sin6_port = htons(port)};
    struct addrinfo *info;
    bool is_in = inet_pton(AF_INET, host, &in.sin_addr) == 1;
    size_t length = strcspn(host, "%");
    char number[INET6_ADDRSTRLEN];

    (void)snprintf(number, sizeof number, "%.*s", (int)length, host);
    if (!is_in && inet_pton(AF_INET6, number, &in6.sin6_addr) != 1) {
        return NULL;
    }
    if (host[length] == '%') {
        in6.sin6_scope_id = (uint32_t)strtoul(host + length + 1, NULL, 10);
    }
    memset(in.sin_zero, padding, sizeof in.sin_zero);
    if (family != AF_UNSPEC && family != (is_in ? AF_INET : AF_INET6)) {
        return NULL;
    }
    info = calloc(1, sizeof *info + sizeof in6);
    if (info != NULL) {
        info->ai_family = is_in ? AF_INET : AF_INET6;
        info->ai_socktype = SOCK_STREAM;
        info->ai_addr = (struct sockaddr *)(info + 1);
        info->ai_addrlen = is_in ? sizeof in : sizeof in6;
        memcpy(info->ai_addr, is_in ? (void *)&in : (void *)&in6,
               info->ai_addrlen);
    }
    return info;
}

UVA_EXTERN int getaddrinfo(const char *node,
                           const char *service,
                           const struct addrinfo *hints,
                           struct addrinfo **ret_found)
{
    struct addrinfo *first = NULL;
    struct addrinfo **last = &first;
    char *end;
    unsigned long port = strtoul(service, &end, 10);

    if (node != NULL && strcmp(node, "slow.test") == 0) {
        uv_sem_post(&slow_begun);
        uv_sem_wait(&slow_goes_on);
    } else if (node != NULL && strcmp(node, "fake.test") != 0) {
        return EAI_NONAME;
    }
    if (strcmp(service, "service.test") == 0) {
        port = fake_port;
    } else if (*end != '\0' || port > 65535) {
        return EAI_SERVICE;
    }
    for (size_t i = 0; i < fake_count; i++) {
        *last = fake_address(fake_hosts[i], (uint16_t)port, hints->ai_family,
                             (int)i);
        if (*last != NULL) {
            last = &(*last)->ai_next;
        }
    }
    *ret_found = first;
    return first == NULL ? EAI_NONAME : 0;
}

UVA_EXTERN void freeaddrinfo(struct addrinfo *found)
{
    while (found != NULL) {
        struct addrinfo *next = found->ai_next;
        free(found);
        found = next;
    }
}

#define FAKE(...)                                         \
    do {                                                  \
        static const char *const hosts[] = {__VA_ARGS__}; \
        fake_hosts = hosts;                               \
        fake_count = sizeof hosts / sizeof *hosts;        \
    } while (0)

/* --- connecting in a task --- */

KIND_TASK(int, dial, const char *host; const char *port;
          const uva_connection_options_t *options;
          uva_open_connection_op_t op;
          uva_reader_t * reader;
          uva_writer_t * writer;
          int r;)
{
    UVA_BEGIN
    AWAIT_OP(self->r, uva_open_connection, &self->op, self->host, self->port,
             self->options, &self->reader, &self->writer);
    UVA_END
    if (self->r >= 0) {
        uva_writer_close(self->writer);
        uva_reader_unref(self->reader);
        uva_writer_unref(self->writer);
    }
    return self->r;
}

/* Await it; the words of its failure, if wanted. */
static int dialled(dial_task_t *take_task, char *ret_text, size_t size)
{
    uva_future_t *future = UVA_FUTURE(take_task);
    int r = uva_await(future, NULL);
    const uva_error_t *error = uva_future_error(future);

    if (ret_text != NULL) {
        const char *text = error == NULL ? "" : uva_error_text(error);
        ck_assert_uint_lt(strlen(text), size);
        (void)snprintf(ret_text, size, "%s", text);
    }
    uva_future_unref(future);
    return r;
}

#define DIAL(host, port, options) KIND_SPAWN(dial, host, port, options)

/* --- names and numbers --- */

UVA_NET_TEST(numbers)
{
    /* test_base_events.py,
     * BaseEventLoopWithSelectorTests.test_create_connection_ip_addr
     * test_base_events.py, BaseEventTests.test_ipaddr_info: numeric hosts are
     * not looked up. */
    uint16_t port = 0;
    int listener = uva_test_listen(UVA_FAMILY_IPV4, 10, &port);
    char text[8];

    FAKE("192.0.2.1");
    uva_test_put_port(text, port);
    ck_assert_int_eq(dialled(DIAL("127.0.0.1", text, NULL), NULL, 0), 0);
    /* No host is this host, whichever of its addresses answers. */
    ck_assert_int_eq(dialled(DIAL(NULL, text, NULL), NULL, 0), 0);
    ck_assert_int_eq(dialled(DIAL("", text, NULL), NULL, 0), 0);
    for (int i = 0; i < 3; i++) {
        close(uva_test_accept(listener));
    }
    close(listener);
}

UVA_NET_TEST(service_name)
{
    /* test_base_events.py,
     * BaseEventLoopWithSelectorTests.test_create_connection_service_name */
    int listener = uva_test_listen(UVA_FAMILY_IPV4, 10, &fake_port);

    FAKE("127.0.0.1");
    ck_assert_int_eq(dialled(DIAL("fake.test", "service.test", NULL), NULL, 0),
                     0);
    close(uva_test_accept(listener));
    ck_assert_int_eq(dialled(DIAL("fake.test", "nonsense", NULL), NULL, 0),
                     UV_EAI_SERVICE);
    close(listener);
}

static bool has_ipv6(void)
{
    int probe = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 loopback = {.sin6_family = AF_INET6,
                                    .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    bool has = probe >= 0 &&
               bind(probe, (struct sockaddr *)&loopback, sizeof loopback) == 0;

    close(probe);
    return has;
}

UVA_NET_TEST(ipv6)
{
    uint16_t port = 0;
    int listener;
    uva_reader_t *reader;
    uva_writer_t *writer;
    uva_address_t address;

    if (!has_ipv6()) {
        return;
    }
    listener = uva_test_listen(UVA_FAMILY_IPV6, 10, &port);
    ck_assert_int_eq(
        uva_open_connection("::1", uva_test_port(port), NULL, &reader, &writer),
        0);
    ck_assert_int_eq(
        uva_transport_get_peername(uva_writer_transport(writer), &address), 0);
    ck_assert_str_eq(address.host, "::1");
    ck_assert_uint_eq(address.port, port);
    ck_assert_int_eq(address.family, UVA_FAMILY_IPV6);
    ck_assert_int_eq(uva_connection_close(reader, writer), 0);
    close(uva_test_accept(listener));
    close(listener);
}

START_TEST(address_text)
{
    uva__sockaddr_t from;
    uva_address_t address;
    char text[UVA__ADDRESS_TEXT];
    char name[UV_IF_NAMESIZE];
    size_t size = sizeof name;

    memset(&from, 0, sizeof from);
    from.in6.sin6_family = AF_INET6;
    from.in6.sin6_port = htons(80);
    ck_assert_int_eq(inet_pton(AF_INET6, "fe80::1", &from.in6.sin6_addr), 1);
    ck_assert_int_eq(uva__address_from(&from, &address), 0);
    ck_assert_str_eq(address.host, "fe80::1");
    if (uv_if_indextoname(1, name, &size) == 0) {
        from.in6.sin6_scope_id = 1;
        ck_assert_int_eq(uva__address_from(&from, &address), 0);
        ck_assert_int_eq(strncmp(address.host, "fe80::1%", 8), 0);
        ck_assert_str_eq(address.host + 8, name);
    }
    uva__address_format(&from, text);
    ck_assert_int_eq(strncmp(text, "('fe80::1", 9), 0);
    from.any.sa_family = AF_UNSPEC;
    ck_assert_int_eq(uva__address_from(&from, &address), UV_EAFNOSUPPORT);
    uva__address_format(&from, text);
    ck_assert_str_eq(text, "(?)");
}
END_TEST

/* A unix socket's address of size bytes behind the family, as the system gives
 * it: the text and what is kept of it. */
static void ck_unix_text(const char *name, size_t size, const char *wanted)
{
    uva__sockaddr_t from;
    uva__sockaddr_t kept;
    uva__peer_t peer;
    uva_address_t address;
    char text[UVA__ADDRESS_TEXT];

    memset(&from, 'x', sizeof from); /* What lies behind it counts not. */
    memset(&peer, 0, sizeof peer);
    from.un.sun_family = AF_UNIX;
    memcpy(from.un.sun_path, name, size);
    from.size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    ck_assert_int_eq(uva__address_from(&from, &address), 0);
    ck_assert_str_eq(address.host, wanted);
    ck_assert_int_eq(address.family, UVA_FAMILY_UNIX);
    ck_assert_uint_eq(address.port, 0);
    ck_assert_int_eq(uva__peer_set(&peer, &from), 0);
    kept = uva__peer_get(&peer);
    ck_assert_int_eq(uva__address_from(&kept, &address), 0);
    ck_assert_str_eq(address.host, wanted);
    uva__peer_format(&peer, text);
    ck_assert_int_eq(text[0], '\'');
    ck_assert_int_eq(strncmp(text + 1, wanted, strlen(wanted)), 0);
    ck_assert_str_eq(text + 1 + strlen(wanted), "'");
    uva__peer_clear(&peer);
}

START_TEST(unix_address_text)
{
    char longest[109];

    ck_unix_text("", 0, "");
    ck_unix_text("/run/x", 6, "/run/x");
    ck_unix_text("/run/x\0", 7, "/run/x");
    ck_unix_text("/run/x\0\0", 8, "/run/x");
    ck_unix_text("\0name", 5, "@name");
    ck_unix_text("\0a\0b", 4, "@a@b");
    memset(longest, 'p', sizeof longest);
    longest[108] = '\0';
    ck_unix_text(longest, 108, longest);
}
END_TEST

UVA_NET_TEST(unknown_host)
{
    /* test_base_events.py,
     * BaseEventLoopWithSelectorTests.test_create_connection_no_getaddrinfo */
    char text[256];

    ck_assert_int_eq(
        dialled(DIAL("nowhere.test", "80", NULL), text, sizeof text),
        UV_EAI_NONAME);
    ck_assert_ptr_nonnull(strstr(text, "nowhere.test"));
    ck_assert_ptr_nonnull(strstr(text, uva_strerror(UV_EAI_NONAME)));
}

static int nobody(uva_reader_t *reader, uva_writer_t *writer, void *arg)
{
    (void)reader;
    (void)arg;
    return uva_writer_wait_closed(writer);
}

UVA_NET_TEST(refusal_has_no_words_of_an_older_failure)
{
    uva_connection_options_t options = UVA_CONNECTION_OPTIONS_INIT;
    uva_server_options_t server_options = UVA_SERVER_OPTIONS_INIT;
    uva_reader_t *reader;
    uva_writer_t *writer;
    uva_server_t *server;

    options.size = 3;
    ck_assert_int_eq(uva_fail(UV_EINVAL, "old words"), UV_EINVAL);
    ck_assert_int_eq(
        uva_open_connection("127.0.0.1", "80", &options, &reader, &writer),
        UV_EINVAL);
    ck_assert_ptr_null(uva_task_error());

    server_options.size = 3;
    ck_assert_int_eq(uva_fail(UV_EINVAL, "old words"), UV_EINVAL);
    ck_assert_int_eq(uva_start_server_callback(nobody, NULL, "127.0.0.1", "0",
                                               &server_options, &server),
                     UV_EINVAL);
    ck_assert_ptr_null(uva_task_error());
}

UVA_NET_TEST(wrong_arguments)
{
    /* test_base_events.py,
     * BaseEventLoopWithSelectorTests.test_create_connection_no_host_port_sock
     */
    uva_connection_options_t options = UVA_CONNECTION_OPTIONS_INIT;

    ck_assert_int_eq(dialled(DIAL("127.0.0.1", NULL, NULL), NULL, 0),
                     UV_EINVAL);
    ck_assert_int_eq(dialled(DIAL("127.0.0.1", "", NULL), NULL, 0), UV_EINVAL);
    FAKE("127.0.0.1");
    ck_assert_int_eq(dialled(DIAL("fake.test", "no-such", NULL), NULL, 0),
                     UV_EAI_SERVICE);
    options.size = 3;
    ck_assert_int_eq(dialled(DIAL("127.0.0.1", "1", &options), NULL, 0),
                     UV_EINVAL);
    options.size = sizeof options;
    options.family = (uva_family_t)7;
    ck_assert_int_eq(dialled(DIAL("127.0.0.1", "1", &options), NULL, 0),
                     UV_EINVAL);
    options.family = UVA_FAMILY_ANY;
    options.limit_bytes = ((size_t)1 << 30) + 1;
    ck_assert_int_eq(dialled(DIAL("127.0.0.1", "1", &options), NULL, 0),
                     UV_EINVAL);
    options.limit_bytes = 0;
    options.high_bytes = 5;
    options.low_bytes = 6;
    ck_assert_int_eq(dialled(DIAL("127.0.0.1", "1", &options), NULL, 0),
                     UV_EINVAL);
}

UVA_NET_TEST(no_ports)
{
    /* What is no port is refused with words, before anything is made. asyncio:
     * OverflowError; of " 80" and "+80" it takes the number. */
    static const char *const ports[] = {
        "65536", "99999", "4294967297", "99999999999999999999",
        "-1",    "+80",   " 80",        "80 ",
        "8 0",   "",      "-"};
    uva_connection_options_t options = UVA_CONNECTION_OPTIONS_INIT;
    static const char *const places[] = {"127.0.0.1", "fake.test", NULL};
    char text[100];

    FAKE("127.0.0.1");
    for (size_t i = 0; i < sizeof ports / sizeof *ports; i++) {
        char wanted[100];
        (void)snprintf(wanted, sizeof wanted,
                       "a port is 0 to 65535, or a service, not '%s'",
                       ports[i]);
        for (size_t k = 0; k < 3; k++) {
            uva_server_t *server;
            ck_assert_int_eq(
                dialled(DIAL(places[k], ports[i], NULL), text, sizeof text),
                UV_EINVAL);
            ck_assert_str_eq(text, wanted);
            ck_assert_int_eq(uva_start_server_callback(nobody, NULL, places[k],
                                                       ports[i], NULL, &server),
                             UV_EINVAL);
            ck_assert_str_eq(uva_error_text(uva_task_error()), wanted);
        }
        options.local_port = ports[i];
        ck_assert_int_eq(
            dialled(DIAL("127.0.0.1", "1", &options), text, sizeof text),
            UV_EINVAL);
        ck_assert_str_eq(text, wanted);
    }
}

UVA_NET_TEST(peer_of_all_addresses)
{
    /* 0.0.0.0 as a peer is this host, and says which of its addresses. */
    uint16_t port = 0;
    int listener = uva_test_listen(UVA_FAMILY_IPV4, 5, &port);
    uva_reader_t *reader;
    uva_writer_t *writer;
    uva_address_t peer;

    ck_assert_int_eq(uva_open_connection("0.0.0.0", uva_test_port(port), NULL,
                                         &reader, &writer),
                     0);
    uva_transport_abort(uva_writer_transport(writer));
    ck_assert_int_eq(
        uva_transport_get_peername(uva_writer_transport(writer), &peer), 0);
    ck_assert_str_eq(peer.host, "127.0.0.1");
    ck_assert_uint_eq(peer.port, port);
    ck_assert_int_eq(uva_connection_close(reader, writer), 0);
    close(listener);
}

UVA_NET_TEST(zones)
{
    /* test_base_events.py,
     * BaseEventLoopWithSelectorTests.test_create_connection_ipv6_scope
     * test_base_events.py,
     * BaseEventLoopWithSelectorTests.test_create_server_no_getaddrinfo
     * A zone is the resolver's: libuv takes one that it does not know for
     * none. */
    uva_server_t *server;

    FAKE("::1%1");
    ck_assert_int_eq(dialled(DIAL("::1%nosuch", "1", NULL), NULL, 0),
                     UV_EAI_NONAME);
    ck_assert_int_eq(dialled(DIAL("fe80::1%99999", "1", NULL), NULL, 0),
                     UV_EAI_NONAME);
    ck_assert_int_eq(uva_start_server_callback(nobody, NULL, "::1%nosuch", "0",
                                               NULL, &server),
                     UV_EAI_NONAME);
}

static void dial_without_task(void *data)
{
    uva_open_connection_op_t op = {NULL};
    uva_reader_t *reader;
    uva_writer_t *writer;

    (void)data;
    ck_assert_int_eq(
        uva_open_connection("127.0.0.1", "1", NULL, &reader, &writer),
        UVA_ENOTASK);
    ck_assert_int_eq(
        uva_open_connection_poll(&op, "127.0.0.1", "1", NULL, &reader, &writer),
        UVA_ENOTASK);
}

UVA_NET_TEST(no_task)
{
    ck_assert_int_eq(
        uva_loop_call_soon(NULL, dial_without_task, NULL, NULL, NULL), 0);
    UVA_TICK();
}

/* --- failures --- */

UVA_NET_TEST(refused_port)
{
    /* test_base_events.py,
     * BaseEventLoopWithSelectorTests.test_create_connection_connect_err */
    uint16_t port = uva_test_unused_port();
    char number[8];
    char text[256];
    char expected[64];

    uva_test_put_port(number, port);
    ck_assert_int_eq(
        dialled(DIAL("127.0.0.1", number, NULL), text, sizeof text),
        UV_ECONNREFUSED);
    (void)snprintf(expected, sizeof expected,
                   "Connect call failed ('127.0.0.1', %s): ", number);
    ck_assert_int_eq(strncmp(text, expected, strlen(expected)), 0);
}

UVA_NET_TEST(all_refuse)
{
    char number[8];
    char text[512];

    FAKE("127.0.0.1", "127.0.0.2");
    uva_test_put_port(number, uva_test_unused_port());
    ck_assert_int_eq(
        dialled(DIAL("fake.test", number, NULL), text, sizeof text),
        UV_ECONNREFUSED);
    ck_assert_ptr_null(strstr(text, "Multiple exceptions"));
    ck_assert_ptr_nonnull(strstr(text, "('127.0.0.1'"));
    ck_assert_ptr_nonnull(strstr(text, "('127.0.0.2'"));
}

UVA_NET_TEST(multiple_errors)
{
    /* test_base_events.py, BaseEventLoopWithSelectorTests.
     * test_create_connection_multiple_errors: the code is that of the first,
     * the words tell all. */
    char number[8];
    char text[512];

    FAKE("127.0.0.1", "255.255.255.255");
    uva_test_put_port(number, uva_test_unused_port());
    ck_assert_int_eq(
        dialled(DIAL("fake.test", number, NULL), text, sizeof text),
        UV_ECONNREFUSED);
    ck_assert_int_eq(strncmp(text, "Multiple exceptions: ", 21), 0);
    ck_assert_ptr_nonnull(strstr(text, "('127.0.0.1'"));
    ck_assert_ptr_nonnull(strstr(text, "('255.255.255.255'"));
}

UVA_NET_TEST(second_address)
{
    /* test_base_events.py,
     * BaseEventLoopWithSelectorTests.test_create_connection_multiple */
    uint16_t port = 0;
    int listener = uva_test_listen(UVA_FAMILY_IPV4, 10, &port);
    uva_connection_options_t options = UVA_CONNECTION_OPTIONS_INIT;
    uint64_t begun_ns = uva_loop_time(uva_get_running_loop());
    size_t sockets;
    char number[8];

    uva_test_put_port(number, port);
    FAKE("127.0.0.2", "127.0.0.3", "127.0.0.1");
    sockets = uva_test_sockets();
    ck_assert_int_eq(dialled(DIAL("fake.test", number, NULL), NULL, 0), 0);
    close(uva_test_accept(listener));

    /* A failure starts the next one, however long the delay. */
    options.happy_eyeballs_delay_ns = UVA_SEC(100);
    ck_assert_int_eq(dialled(DIAL("fake.test", number, &options), NULL, 0), 0);
    close(uva_test_accept(listener));
    ck_assert_uint_lt(uva_loop_time(uva_get_running_loop()),
                      begun_ns + UVA_SEC(50));
    UVA_TEST_UNTIL(uva_test_sockets() == sockets);
    close(listener);
}

UVA_NET_TEST(family)
{
    uint16_t port = 0;
    int listener = uva_test_listen(UVA_FAMILY_IPV4, 10, &port);
    uva_connection_options_t options = UVA_CONNECTION_OPTIONS_INIT;
    char number[8];

    uva_test_put_port(number, port);
    FAKE("::1", "127.0.0.1");
    options.family = UVA_FAMILY_IPV4;
    ck_assert_int_eq(dialled(DIAL("fake.test", number, &options), NULL, 0), 0);
    close(uva_test_accept(listener));
    options.family = UVA_FAMILY_IPV6;
    FAKE("127.0.0.1");
    ck_assert_int_eq(dialled(DIAL("fake.test", number, &options), NULL, 0),
                     UV_EAI_NONAME);
    close(listener);
}

/* --- happy eyeballs --- */

/* A port of 127.0.0.2 where no connection is answered: its backlog is full. */
typedef struct stalled_s {
    int listener;
    int fds[4];
} stalled_t;

static void stall(stalled_t *stalled, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port)};

    ck_assert_int_eq(inet_pton(AF_INET, "127.0.0.2", &address.sin_addr), 1);
    stalled->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(
        bind(stalled->listener, (struct sockaddr *)&address, sizeof address),
        0);
    ck_assert_int_eq(listen(stalled->listener, 0), 0);
    for (int i = 0; i < 4; i++) {
        stalled->fds[i] =
            socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(stalled->fds[i], (struct sockaddr *)&address,
                      sizeof address);
    }
}

static void unstall(stalled_t *stalled)
{
    close(stalled->listener);
    for (int i = 0; i < 4; i++) {
        close(stalled->fds[i]);
    }
}

UVA_NET_TEST(staggered)
{
    /* test_staggered.py, StaggeredTests
     * .test_first_timeout_second_successful, with sockets: the slow one is
     * given up when the other has won. */
    uint16_t port = 0;
    int listener = uva_test_listen(UVA_FAMILY_IPV4, 10, &port);
    uva_connection_options_t options = UVA_CONNECTION_OPTIONS_INIT;
    size_t sockets;
    stalled_t stalled;
    char number[8];

    uva_test_put_port(number, port);
    stall(&stalled, port);
    FAKE("127.0.0.2", "127.0.0.1");
    sockets = uva_test_sockets();
    options.happy_eyeballs_delay_ns = UVA_MS(5);
    ck_assert_int_eq(dialled(DIAL("fake.test", number, &options), NULL, 0), 0);
    UVA_TEST_UNTIL(uva_test_sockets() == sockets);
    close(uva_test_accept(listener));
    close(listener);
    unstall(&stalled);
}

UVA_NET_TEST(staggered_in_order)
{
    /* With the last one pending the failures of the others do not end it. */
    uva_connection_options_t options = UVA_CONNECTION_OPTIONS_INIT;
    uint16_t port = uva_test_unused_port();
    stalled_t stalled;
    dial_task_t *task;
    char number[8];

    uva_test_put_port(number, port);
    stall(&stalled, port);
    FAKE("127.0.0.2", "127.0.0.1", "127.0.0.3");
    options.happy_eyeballs_delay_ns = UVA_MS(1);
    task = DIAL("fake.test", number, &options);
    ck_assert_int_eq(uva_sleep(UVA_MS(20)), 0);
    ck_assert(!UVA_DONE(task));
    uva_task_cancel(UVA_ERASE(task));
    ck_assert_int_eq(dialled(task, NULL, 0), UV_ECANCELED);
    unstall(&stalled);
}

static void ck_order(unsigned interleave, const char *order)
{
    uva_connection_options_t options = UVA_CONNECTION_OPTIONS_INIT;
    const char *at;
    char number[8];
    char text[512];
    char seen[8];
    size_t count = 0;

    uva_test_put_port(number, uva_test_unused_port());
    options.interleave = interleave;
    options.happy_eyeballs_delay_ns = interleave == 1 ? UVA_SEC(9) : 0;
    if (interleave == 1) {
        options.interleave = 0; /* The default with a delay. */
    }
    ck_assert_int_lt(
        dialled(DIAL("fake.test", number, &options), text, sizeof text), 0);
    for (at = strstr(text, "('"); at != NULL; at = strstr(at + 1, "('")) {
        seen[count++] = at[2] == ':' ? 'a' : at[10];
    }
    seen[count] = '\0';
    ck_assert_str_eq(seen, order);
}

UVA_NET_TEST(interleave)
{
    /* asyncio: base_events.py, _interleave_addrinfos */
    FAKE("127.0.0.1", "127.0.0.2", "127.0.0.3", "::1", "::1");
    ck_order(0, "123aa");
    ck_order(1, "1a2a3");
    ck_order(2, "12a3a");
    ck_order(9, "123aa");
    FAKE("::1", "127.0.0.1", "127.0.0.2");
    ck_order(1, "a12");
}

/* --- listening on a name --- */

UVA_NET_TEST(each_address_once)
{
    /* asyncio: base_events.py, create_server: the addresses are a set. With
     * port 0 a second socket on the same address would not fail. */
    static const char *const here[] = {"127.0.0.1", "127.0.0.2", "::1", "::1"};
    bool six = has_ipv6();
    uva_server_t *server;
    uva_address_t address;

    if (six) {
        FAKE("127.0.0.1", "127.0.0.2", "::1", "127.0.0.1", "::1%7", "::1",
             "127.0.0.2", "::1%7");
    } else {
        FAKE("127.0.0.1", "127.0.0.2", "127.0.0.1", "127.0.0.2");
    }
    ck_assert_int_eq(uva_start_server_callback(nobody, NULL, "fake.test", "0",
                                               NULL, &server),
                     0);
    ck_assert_uint_eq(uva_server_socket_count(server), six ? 4 : 2);
    for (size_t i = 0; i < uva_server_socket_count(server); i++) {
        ck_assert_int_eq(uva_server_get_sockname(server, i, &address), 0);
        ck_assert_str_eq(address.host, here[i]);
    }
    uva_server_close(server);
    ck_assert_int_eq(uva_server_wait_closed(server), 0);
    uva_server_unref(server);
}

/* --- the local end --- */

UVA_NET_TEST(local_address)
{
    /* test_events.py, EventLoopTestsMixin.test_create_connection_local_addr
     * test_events.py, EventLoopTestsMixin.
     * test_create_connection_local_addr_skip_different_family
     * test_events.py, EventLoopTestsMixin.
     * test_create_connection_local_addr_nomatch_family
     * test_events.py,
     * EventLoopTestsMixin.test_create_connection_local_addr_in_use
     * test_base_events.py, BaseEventLoopWithSelectorTests.
     * test_create_connection_no_local_addr */
    uint16_t port = 0;
    uint16_t taken_port = 0;
    int listener = uva_test_listen(UVA_FAMILY_IPV4, 10, &port);
    int taken = uva_test_listen(UVA_FAMILY_IPV4, 10, &taken_port);
    uva_connection_options_t options = UVA_CONNECTION_OPTIONS_INIT;
    uva_reader_t *reader;
    uva_writer_t *writer;
    uva_address_t address;
    char number[8];
    char local[8];

    uva_test_put_port(number, port);
    options.local_host = "127.0.0.5";
    ck_assert_int_eq(
        uva_open_connection("127.0.0.1", number, &options, &reader, &writer),
        0);
    ck_assert_int_eq(
        uva_transport_get_sockname(uva_writer_transport(writer), &address), 0);
    ck_assert_str_eq(address.host, "127.0.0.5");
    ck_assert_int_eq(uva_connection_close(reader, writer), 0);
    close(uva_test_accept(listener));

    FAKE("::1", "127.0.0.6");
    options.local_host = "fake.test";
    ck_assert_int_eq(dialled(DIAL("127.0.0.1", number, &options), NULL, 0), 0);
    close(uva_test_accept(listener));

    options.local_host = "::1";
    ck_assert_int_eq(dialled(DIAL("127.0.0.1", number, &options), NULL, 0),
                     UV_EADDRNOTAVAIL);
    options.local_host = "nowhere.test";
    ck_assert_int_eq(dialled(DIAL("127.0.0.1", number, &options), NULL, 0),
                     UV_EAI_NONAME);

    uva_test_put_port(local, taken_port);
    options.local_host = "127.0.0.1";
    options.local_port = local;
    ck_assert_int_eq(dialled(DIAL("127.0.0.1", number, &options), NULL, 0),
                     UV_EADDRINUSE);
    options.local_host = NULL;
    ck_assert_int_eq(dialled(DIAL("127.0.0.1", number, &options), NULL, 0),
                     UV_EADDRINUSE);
    close(taken);
    close(listener);
}

/* --- cancelling --- */

UVA_NET_TEST(cancel_look_up)
{
    /* It goes on in its thread; nobody waits for it but the end of the loop. */
    uva_loop_t *loop = uva_get_running_loop();
    dial_task_t *task;

    FAKE("127.0.0.1");
    ck_assert_int_eq(uv_sem_init(&slow_begun, 0), 0);
    ck_assert_int_eq(uv_sem_init(&slow_goes_on, 0), 0);
    task = DIAL("slow.test", "1", NULL);
    UVA_TICK();
    uv_sem_wait(&slow_begun);
    uva_task_cancel(UVA_ERASE(task));
    ck_assert_int_eq(dialled(task, NULL, 0), UV_ECANCELED);
    ck_assert_uint_eq(loop->op_count, 1);
    uv_sem_post(&slow_goes_on);
    while (loop->op_count > 0) {
        ck_assert_int_eq(uva_sleep(UVA_MS(1)), 0);
    }
    uv_sem_destroy(&slow_begun);
    uv_sem_destroy(&slow_goes_on);
}

UVA_NET_TEST(cancel_connect)
{
    uint16_t port = uva_test_unused_port();
    stalled_t stalled;
    dial_task_t *task;
    size_t sockets;
    char number[8];
    int r = 0;

    uva_test_put_port(number, port);
    stall(&stalled, port);
    sockets = uva_test_sockets();
    task = DIAL("127.0.0.2", number, NULL);
    for (int i = 0; i < 5; i++) {
        UVA_TICK();
    }
    ck_assert_uint_eq(uva_test_sockets(), sockets + 1);
    uva_task_cancel(UVA_ERASE(task));
    ck_assert_int_eq(dialled(task, NULL, 0), UV_ECANCELED);
    ck_assert_uint_eq(uva_test_sockets(), sockets);

    UVA_TIMEOUT (r, UVA_MS(5)) {
        uva_reader_t *reader;
        uva_writer_t *writer;
        r = uva_open_connection("127.0.0.2", number, NULL, &reader, &writer);
    }
    ck_assert_int_eq(r, UV_ETIMEDOUT);
    ck_assert_uint_eq(uva_test_sockets(), sockets);
    unstall(&stalled);
}

/* Cancels a task that was woken and has not run. */
UVA_TASK(int, cancel_woken, uva_task_t *task;)
{
    (void)ret;
    while (args->task->base.phase != UVA__PHASE_WOKEN) {
        UVA_TICK();
    }
    uva_task_cancel(args->task);
    return 0;
}

UVA_NET_TEST(cancel_after_the_failure)
{
    /* The task is cancelled when all attempts have failed and it has not heard
     * of it: the request is not lost. */
    uint16_t port = uva_test_unused_port();
    char number[8];

    uva_test_put_port(number, port);
    FAKE("127.0.0.1", "127.0.0.1");
    for (int i = 0; i < 2; i++) {
        cancel_woken_task_t *canceller;
        dial_task_t *task =
            DIAL(i == 0 ? "fake.test" : "nowhere.test", number, NULL);
        UVA_TICK();
        canceller = uva_spawn(cancel_woken, (uva_task_t *)(void *)task);
        ck_assert_int_eq(dialled(task, NULL, 0), UV_ECANCELED);
        ck_assert_int_eq(UVA_JOIN(canceller), 0);
    }
}

UVA_NET_TEST(cancel_at_each_iteration)
{
    /* Whether it has won or not, nothing is left open. */
    uint16_t port = 0;
    int listener = uva_test_listen(UVA_FAMILY_IPV4, 50, &port);
    size_t sockets = uva_test_sockets();
    char number[8];
    bool won = false;

    uva_test_put_port(number, port);
    for (int turns = 0; !won; turns++) {
        dial_task_t *task = DIAL("127.0.0.1", number, NULL);
        int r;
        ck_assert_int_lt(turns, 1000);
        for (int i = 0; i < turns; i++) {
            UVA_TICK();
        }
        uva_task_cancel(UVA_ERASE(task));
        r = dialled(task, NULL, 0);
        ck_assert(r == UV_ECANCELED || r == 0);
        won = r == 0;
        UVA_TEST_UNTIL(uva_test_sockets() == sockets);
    }
    close(listener);
}

/* A look-up that nobody waits for any more. */
static int leave_look_up(UVA_UNUSED void *arg, UVA_UNUSED void **ret_result)
{
    dial_task_t *task = KIND_SPAWN(dial, "slow.test", "1", .options = NULL);

    UVA_TICK();
    uv_sem_wait(&slow_begun);
    uva_task_cancel(UVA_ERASE(task));
    return dialled(task, NULL, 0);
}

static void told(uva_log_level_t level, const char *text, void *data)
{
    if (level == UVA_LOG_WARNING && strstr(text, "'slow.test'") != NULL) {
        ++*(int *)data;
        uv_sem_post(&slow_goes_on);
    }
}

START_TEST(look_up_at_the_end)
{
    /* The end of the loop waits for it, and after a second says for whom. */
    uva_test_mark_t mark = uva_test_net_mark();
    int count = 0;

    FAKE("127.0.0.1");
    ck_assert_int_eq(uv_sem_init(&slow_begun, 0), 0);
    ck_assert_int_eq(uv_sem_init(&slow_goes_on, 0), 0);
    uva_set_log(told, &count);
    ck_assert_int_eq(uva_run(leave_look_up, NULL, NULL, NULL), UV_ECANCELED);
    uva_test_log_end();
    ck_assert_int_eq(count, 1);
    uv_sem_destroy(&slow_begun);
    uv_sem_destroy(&slow_goes_on);
    uva_test_nothing_left(mark);
}
END_TEST

/* --- without memory --- */

/* In a task of its own, with which the words of a failure go. */
UVA_TASK(int, try_open, const char *host; const char *port;)
{
    uva_reader_t *reader;
    uva_writer_t *writer;

    *ret = uva_open_connection(args->host, args->port, NULL, &reader, &writer);
    if (*ret >= 0) {
        (void)uva_connection_close(reader, writer);
    }
    return 0;
}

static int open_once(const char *host, const char *port)
{
    int opened = 0;
    int r = try_open_await(uva_spawn(try_open, host, port), &opened);

    /* What is closing is given back in the next turns. */
    UVA_TEST_UNTIL(uva_get_running_loop()->op_count == 0);
    for (int i = 0; i < 200; i++) {
        UVA_TICK();
    }
    return r < 0 ? r : opened;
}

UVA_NET_TEST_STRICT(oom_connect)
{
    uint16_t port = 0;
    int listener = uva_test_listen(UVA_FAMILY_IPV4, 50, &port);
    char number[8];

    uva_test_put_port(number, port);
    FAKE("127.0.0.1");
    ck_assert_int_eq(open_once("127.0.0.1", number), 0);
    UVA_OOM_TEST(open_once("127.0.0.1", number));
    UVA_OOM_TEST(open_once("fake.test", number));
    close(listener);
}

/* --- why connections are not uv_tcp_t --- */

static char unsent[8 * 1024 * 1024];
static uv_timer_t peer_timer;
static int peer_fd;

static void peer_goes(uv_timer_t *timer)
{
    char some[65536];

    (void)timer;
    (void)!recv(peer_fd, some, sizeof some, 0);
    close(peer_fd); /* With bytes unread: a reset. */
}

static void nothing_to_say(uv_write_t *request, int status)
{
    (void)request;
    (void)status;
}

static void write_by_libuv(void)
{
    uint16_t port = 0;
    int listener = uva_test_listen(UVA_FAMILY_IPV4, 1, &port);
    uv_buf_t buffer = uv_buf_init(unsent, sizeof unsent);
    uv_write_t request;
    uv_loop_t loop;
    uv_tcp_t tcp;

    (void)signal(SIGPIPE, SIG_DFL);
    peer_fd = uva_test_dial(port);
    (void)uv_loop_init(&loop);
    (void)uv_tcp_init(&loop, &tcp);
    (void)uv_tcp_open(&tcp, uva_test_accept(listener));
    (void)shutdown(peer_fd, SHUT_WR);
    (void)uv_write(&request, (uv_stream_t *)&tcp, &buffer, 1, nothing_to_say);
    (void)uv_timer_init(&loop, &peer_timer);
    (void)uv_timer_start(&peer_timer, peer_goes, 20, 0);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    _exit(0);
}

START_TEST(libuv_write_raises_sigpipe)
{
    /* A peer that ends its stream and goes while libuv has bytes for it kills
     * the process. Should this ever fail, uv_write can be had again. */
    pid_t child = fork();
    int status;

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        write_by_libuv();
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), SIGPIPE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sockets");
    TCase *names = UVA_TCASE(suite, "Names");
    TCase *failures = UVA_TCASE(suite, "Failures");
    TCase *eyeballs = UVA_TCASE(suite, "HappyEyeballs");
    TCase *local = UVA_TCASE(suite, "Local");
    TCase *cancel = UVA_TCASE(suite, "Cancel");
    TCase *libuv = UVA_TCASE(suite, "Libuv");

    KIND_ADD_TESTS(names, numbers, service_name);
    UVA_ADD_TESTS(names, ipv6, address_text, unix_address_text);
    KIND_ADD_TESTS(names, unknown_host, wrong_arguments);
    UVA_ADD_TESTS(names, no_ports, zones, peer_of_all_addresses,
                  refusal_has_no_words_of_an_older_failure, no_task);

    KIND_ADD_TESTS(failures, refused_port, all_refuse, multiple_errors,
                   second_address, family);
    UVA_ADD_TESTS(failures, oom_connect);

    KIND_ADD_TESTS(eyeballs, staggered, staggered_in_order, interleave);

    KIND_ADD_TESTS(local, local_address);
    UVA_ADD_TESTS(local, each_address_once);

    KIND_ADD_TESTS(cancel, cancel_look_up);
    UVA_ADD_TESTS(cancel, look_up_at_the_end);
    KIND_ADD_TESTS(cancel, cancel_after_the_failure, cancel_connect,
                   cancel_at_each_iteration);

    UVA_ADD_TESTS(libuv, libuv_write_raises_sigpipe);
    return uva_test_main(suite);
}
