/*
 * The answer of a server: whatever the bytes and however they are cut, the
 * reader stays within its limits and comes to one result.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "http_reader.h"

enum {
    BODY_MAX_BYTES = 1000
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
    if (!good) {
        abort();
    }
}

/* @return What feeding and ending came to. */
static int
feed(http_reader_t *reader, const uint8_t *data, size_t size, size_t step)
{
    uint64_t body_bytes = 0;
    int r = 0;

    http_reader_init(reader, BODY_MAX_BYTES);
    while (r == 0 && size > 0) {
        size_t piece = size < step ? size : step;
        uva_bytes_t body;

        r = http_reader_feed(reader, data, piece, &body);
        if (r < 0) {
            check(http_strerror(r) != NULL);
            return r;
        }
        check(r == 0 || r == 1);
        check(body.data >= data && body.data + body.size <= data + piece);
        body_bytes += body.size;
        data += piece;
        size -= piece;
    }
    check(body_bytes == reader->body_bytes && body_bytes <= BODY_MAX_BYTES);
    check(r == 0 || !reader->has_length || body_bytes == reader->length);
    return http_reader_end(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    http_reader_t whole;
    http_reader_t cut;
    size_t step = size > 0 ? 1 + data[0] % 7u : 1;
    int r = feed(&whole, data, size, size + 1);

    check(feed(&cut, data, size, step) == r);
    check(r < 0 || (whole.status == cut.status && whole.status >= 100 &&
                    whole.status <= 999));
    check(r < 0 || whole.body_bytes == cut.body_bytes);
    return 0;
}
