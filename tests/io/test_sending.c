/*
 * What leaves a transport in other ways than by a copy of bytes.
 */
#include "kinds.h"
#include "noting.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"

/* A transport on one end of a pair of sockets, and the other end. */
static int
link_pair(notes_t *notes, int *ret_other, uva_transport_t **ret_transport)
{
    int fds[2];
    int r;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds),
                     0);
    r = uva_create_connection_fd(&noting_ops, notes, fds[0], NULL,
                                 ret_transport);
    if (r < 0) {
        close(fds[1]);
    }
    *ret_other = fds[1];
    return r;
}

/* A buffer of numbered bytes. */
static uva_buffer_t numbers(size_t size)
{
    uva_buffer_t buffer = {0};

    for (size_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)(i * 7 + i / 256);
        if (uva__buffer_append(&buffer, &byte, 1, SIZE_MAX) < 0) {
            ck_abort_msg("no memory");
        }
    }
    return buffer;
}

/* Read and compare with numbers, while the loop turns. */
static void expect_numbers(int fd, size_t size)
{
    uint8_t got[8192];
    size_t total = 0;
    bool same = true;

    ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    while (total < size) {
        ssize_t count = read(fd, got, sizeof got);
        for (ssize_t i = 0; i < count; i++, total++) {
            same = same && got[i] == (uint8_t)(total * 7 + total / 256);
        }
        UVA_TICK();
    }
    ck_assert(same);
    ck_assert_uint_eq(total, size);
}

#define LARGE 3000000u

UVA_NET_TEST(take_is_not_copied)
{
    notes_t notes = {0};
    uva_transport_t *transport;
    uva_buffer_t buffer = numbers(LARGE);
    size_t before;
    int other;

    ck_assert_int_eq(link_pair(&notes, &other, &transport), 0);
    before = uva_allocated_bytes();
    ck_assert_int_eq(uva_transport_write_take(transport, &buffer), 0);
    ck_assert_ptr_null(buffer.data);
    ck_assert_uint_gt(uva_transport_get_write_buffer_size(transport), 0);
    ck_assert_uint_le(uva_allocated_bytes(), before + 4096);
    expect_numbers(other, LARGE);
    UVA_TEST_UNTIL(uva_transport_get_write_buffer_size(transport) == 0);
    ck_assert_uint_lt(uva_allocated_bytes(), before);
    uva_transport_close(transport);
    noting_ends(transport, &notes, "made;pause;resume;lost OK;");
    close(other);
}

UVA_NET_TEST(take_in_order)
{
    /* Copies and buffers in turns, all behind a full socket. */
    notes_t notes = {0};
    uva_transport_t *transport;
    uva_buffer_t all = numbers(LARGE);
    size_t at = 0;
    int other;

    ck_assert_int_eq(link_pair(&notes, &other, &transport), 0);
    while (at < LARGE) {
        size_t size = at == 0 ? 1000000 : at % 3000 + 1;
        uva_buffer_t part = {0};
        size = size < LARGE - at ? size : LARGE - at;
        if (at % 2 == 0) {
            ck_assert_int_eq(
                uva__buffer_append(&part, all.data + at, size, SIZE_MAX), 0);
            ck_assert_int_eq(uva_transport_write_take(transport, &part), 0);
        } else {
            ck_assert_int_eq(
                uva_transport_write(transport, all.data + at, size), 0);
        }
        at += size;
    }
    uva_buffer_clear(&all);
    expect_numbers(other, LARGE);
    uva_transport_close(transport);
    noting_ends(transport, &notes, "made;pause;resume;lost OK;");
    close(other);
}

UVA_NET_TEST(take_is_freed)
{
    /* With the connection, after a refusal, and when nothing is written. */
    notes_t notes = {0};
    uva_transport_t *transport;
    uva_buffer_t buffer = numbers(LARGE);
    int other;

    ck_assert_int_eq(link_pair(&notes, &other, &transport), 0);
    ck_assert_int_eq(uva_transport_write_take(transport, &buffer), 0);
    ck_assert_int_eq(uva_transport_write_take(transport, &buffer), 0);
    buffer = numbers(2000);
    ck_assert_int_eq(uva_transport_write_eof(transport), 0);
    ck_assert_int_eq(uva_transport_write_take(transport, &buffer), UV_EPERM);
    ck_assert_ptr_null(buffer.data);
    uva_transport_abort(transport);
    noting_ends(transport, &notes, "made;pause;lost OK;");
    close(other);
}

UVA_NET_TEST(take_without_memory)
{
    notes_t notes = {0};
    uva_transport_t *transport;
    uva_buffer_t buffer = numbers(LARGE);
    int other;

    ck_assert_int_eq(link_pair(&notes, &other, &transport), 0);
    uva_testing_fail_allocation(1, true);
    ck_assert_int_eq(uva_transport_write_take(transport, &buffer), UV_ENOMEM);
    uva_testing_fail_allocation(0, false);
    ck_assert_ptr_null(buffer.data);
    /* A part has left. */
    noting_ends(transport, &notes, "made;lost ENOMEM;");
    close(other);
}

int main(void)
{
    Suite *suite = suite_create("sending");
    TCase *take = UVA_TCASE(suite, "Take");

    UVA_ADD_TESTS(take, take_is_not_copied, take_in_order, take_is_freed,
                  take_without_memory);
    return uva_test_main(suite);
}
