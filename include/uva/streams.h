/**
 * @file
 * Streams over TCP and unix sockets: a reader and a writer for each connection.
 *
 *     uva_reader_t *reader;
 *     uva_writer_t *writer;
 *     uva_buffer_t line;
 *
 *     int r = uva_open_connection("example.org", "80", NULL, &reader, &writer);
 *     if (r < 0) {
 *         return r;
 *     }
 *     r = uva_writer_printf(writer, "HELO %s\r\n", name);
 *     if (r >= 0) {
 *         r = uva_reader_readline(reader, &line);
 *     }
 *     uva_connection_close(reader, writer);
 *
 * Each awaiting function has a poll half for stackless coroutines:
 * UVA_AWAIT(r, uva_reader_readline, self->reader, &self->line). Its
 * arguments must be the same at each call of one await.
 *
 * On a loop made by uva_loop_new_virtual hosts are those of a network in memory
 * (testing.h); paths and descriptors return UV_ENOTSUP there.
 */
#ifndef UVA_STREAMS_H
#define UVA_STREAMS_H

#include "uva/connections.h"
#include "uva/errors.h"
#include "uva/sockets.h"
#include "uva/transports.h"
#include "uva/typed.h"
#include "uva/types.h"

UVA_BEGIN_DECLS

/** Bytes that a reader holds at most in one line, and half of what it reads
 * ahead, unless an option says otherwise. */
#define UVA_STREAM_LIMIT 65536

/** For limits: none. */
#define UVA_NO_LIMIT SIZE_MAX

/** A text literal as bytes, without the 0 behind it: UVA_BYTES("\r\n"). */
#define UVA_BYTES(literal) (uva_bytes("" literal, sizeof(literal) - 1))
/** Borrowed memory as a view. */
static inline uva_bytes_t uva_bytes(const void *data, size_t size)
{
    uva_bytes_t bytes;

    bytes.data = (const uint8_t *)data;
    bytes.size = size;
    return bytes;
}

/* --- reading --- */

/**
 * Reading. One task at a time may wait on a reader; a second one gets UV_EPERM.
 * A task that finds enough bytes need not wait and may take them, while another
 * one waits; the waiting task goes on with what comes later. What every
 * function below can return besides its own codes:
 *
 * @retval UV_ECANCELED The task was cancelled; what has come stays in the
 *                      reader.
 * @retval UV_ECONNRESET Or another code with which the connection was lost. It
 *                      comes when the bytes that came before the loss do not
 *                      suffice, takes none of them, and comes again at the next
 *                      call.
 * @retval UV_ENOMEM    There is no memory for the result; the bytes stay in the
 *                      reader. As the code of a lost connection: there was no
 *                      memory for bytes that came.
 * @retval UV_EPERM     Another task waits on the reader.
 * @retval UVA_ENOTASK  Nothing here can suspend.
 *
 * A count of bytes that is returned stops at INT_MAX.
 *
 * Functions that end in _view copy nothing: the bytes lie in the reader until
 * the next call of a reading function of any task, until a read that waits goes
 * on, or until the last reference of the connection is dropped. A view outlives
 * the end of the stream, a loss, and a close or abort. Functions that fill an
 * uva_buffer_t never look at what it held before; clear it after use. They
 * write it on success alone, unless they say otherwise.
 *
 * Reading ahead pauses at twice the limit and goes on at the limit.
 */

/**
 * Read what there is, at least a byte and at most size bytes.
 *
 * @return Bytes read; 0 at the end of the stream, or if size is 0.
 * @suspends Only while there is nothing.
 * @asyncio StreamReader.read
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva_reader_read(uva_reader_t *reader, void *data, size_t size);
/** The poll half of uva_reader_read. */
UVA_EXTERN UVA_NODISCARD int
uva_reader_read_poll(uva_reader_t *reader, void *data, size_t size);
/** uva_reader_read without a copy. A connection whose task waits here holds no
 * memory for bytes. */
UVA_EXTERN UVA_CORO UVA_NODISCARD int uva_reader_read_view(
    uva_reader_t *reader, size_t max_bytes, uva_bytes_t *ret_view);
/** The poll half of uva_reader_read_view. */
UVA_EXTERN UVA_NODISCARD int uva_reader_read_view_poll(uva_reader_t *reader,
                                                       size_t max_bytes,
                                                       uva_bytes_t *ret_view);

/**
 * Read until the end of the stream. The reader's limit does not bind.
 *
 * @param limit_bytes UVA_NO_LIMIT, or the most that is wanted.
 * @retval UVA_ELIMITOVERRUN More than limit_bytes have come; all of them stay
 * in the reader.
 * @return Bytes read; they are in an owned buffer.
 * @asyncio StreamReader.read(-1)
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int uva_reader_read_all(
    uva_reader_t *reader, size_t limit_bytes, uva_buffer_t *ret_buffer);
/** The poll half of uva_reader_read_all. */
UVA_EXTERN UVA_NODISCARD int uva_reader_read_all_poll(uva_reader_t *reader,
                                                      size_t limit_bytes,
                                                      uva_buffer_t *ret_buffer);

/**
 * Read exactly size bytes. The reader's limit does not bind.
 *
 * @param[out] ret_partial How many bytes are in data if the stream ended
 * before; may be NULL.
 * @retval UVA_EINCOMPLETEREAD The stream ended before; nothing is left in it.
 * @retval UV_EINVAL           size is above PTRDIFF_MAX: likely a negative code
 *                             that was passed as a size (ValueError).
 * @return size.
 * @suspends Only while there is less.
 * @asyncio StreamReader.readexactly
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int uva_reader_readexactly(
    uva_reader_t *reader, void *data, size_t size, size_t *ret_partial);
/** The poll half of uva_reader_readexactly. */
UVA_EXTERN UVA_NODISCARD int uva_reader_readexactly_poll(uva_reader_t *reader,
                                                         void *data,
                                                         size_t size,
                                                         size_t *ret_partial);

/**
 * Read a line, its newline included; the last one may have none.
 *
 * @return The line's bytes; 0 at the end of the stream, with an empty buffer.
 * @retval UVA_ELIMITOVERRUN The line is longer than the limit and was dropped,
 *                           with its newline if that has come; else everything
 *                           that has come was dropped.
 * @suspends Only while there is no newline.
 * @asyncio StreamReader.readline; differs: ValueError is the code of its cause.
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva_reader_readline(uva_reader_t *reader, uva_buffer_t *ret_line);
/** The poll half of uva_reader_readline. */
UVA_EXTERN UVA_NODISCARD int uva_reader_readline_poll(uva_reader_t *reader,
                                                      uva_buffer_t *ret_line);
/** The same without a copy. */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva_reader_readline_view(uva_reader_t *reader, uva_bytes_t *ret_line);
/** The poll half of uva_reader_readline_view. */
UVA_EXTERN UVA_NODISCARD int
uva_reader_readline_view_poll(uva_reader_t *reader, uva_bytes_t *ret_line);

/**
 * Read up to a separator, which is part of the result:
 * uva_reader_readuntil(reader, UVA_BYTES("\r\n\r\n"), &head).
 *
 * @return Bytes read.
 * @retval UVA_ELIMITOVERRUN What stands before the separator is longer than
 *                           the limit. All of it stays in the reader;
 *                           uva_reader_consumed tells how much that is.
 * @retval UVA_EINCOMPLETEREAD The stream ended before; the result is what there
 *                           was, and nothing is left in the reader.
 * @retval UV_EINVAL         The separator is empty.
 * @suspends Only while there is no separator.
 * @asyncio StreamReader.readuntil
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int uva_reader_readuntil(
    uva_reader_t *reader, uva_bytes_t separator, uva_buffer_t *ret_buffer);
/** The poll half of uva_reader_readuntil. */
UVA_EXTERN UVA_NODISCARD int uva_reader_readuntil_poll(
    uva_reader_t *reader, uva_bytes_t separator, uva_buffer_t *ret_buffer);
/**
 * The same without a copy, and with one of several separators: the result is
 * the shortest that ends with one of them.
 *
 * @param separators Array of count, borrowed.
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva_reader_readuntil_view(uva_reader_t *reader,
                          const uva_bytes_t *separators,
                          size_t count,
                          uva_bytes_t *ret_view);
/** The poll half of uva_reader_readuntil_view. */
UVA_EXTERN UVA_NODISCARD int
uva_reader_readuntil_view_poll(uva_reader_t *reader,
                               const uva_bytes_t *separators,
                               size_t count,
                               uva_bytes_t *ret_view);
/** After UVA_ELIMITOVERRUN of readuntil: the bytes before the separator, or
 * those that surely hold none. @asyncio LimitOverrunError.consumed */
UVA_EXTERN size_t uva_reader_consumed(const uva_reader_t *reader);

/** Whether the stream has ended and everything was read.
 * @asyncio StreamReader.at_eof */
UVA_EXTERN bool uva_reader_at_eof(const uva_reader_t *reader);
/** The code with which reads fail: of a lost connection, or of
 * uva_reader_set_exception; 0 if there is none.
 * @asyncio StreamReader.exception */
UVA_EXTERN int uva_reader_exception(const uva_reader_t *reader);

/** Take a reference. @return reader itself; NULL for NULL. Dropping the last
 * reference of a connection, of either half, closes it if it is open, and warns
 * in debug mode. */
UVA_EXTERN uva_reader_t *uva_reader_ref(uva_reader_t *reader);
/** Drop a reference. @return NULL. */
UVA_EXTERN uva_reader_t *uva_reader_unref(uva_reader_t *reader);

/**
 * Make a reader without a connection, which its user feeds: for tests, and for
 * bytes that come from elsewhere.
 *
 * @param limit_bytes 0 for the default.
 * @retval UVA_ENOLOOP No loop runs here.
 * @retval UV_EINVAL   The limit is above 1 GiB.
 * @asyncio StreamReader
 */
UVA_EXTERN UVA_NODISCARD int uva_reader_new(size_t limit_bytes,
                                            uva_reader_t **ret_reader);
/** Add bytes, which are copied, and wake the task that waits for them.
 * @retval UV_EPERM  After feed_eof.
 * @retval UV_ENOMEM Nothing was added.
 * @retval UV_EINVAL size is above PTRDIFF_MAX. Nothing was added.
 * @asyncio StreamReader.feed_data */
UVA_EXTERN UVA_NODISCARD int
uva_reader_feed_data(uva_reader_t *reader, const void *data, size_t size);
/** @asyncio StreamReader.feed_eof */
UVA_EXTERN void uva_reader_feed_eof(uva_reader_t *reader);
/** Let every read fail with a negative code.
 * @retval UV_EINVAL code is not negative, or UVA_PENDING; nothing has changed.
 * @asyncio StreamReader.set_exception */
UVA_EXTERN int uva_reader_set_exception(uva_reader_t *reader, int code);

/* --- writing --- */

/**
 * Send bytes, or keep a copy of those that cannot leave yet. Short writes of a
 * task (of less than 1 KiB) leave together when the task suspends or ends, or
 * with a longer write; uva_transport_get_write_buffer_size sends them at once.
 * Writing never waits: use uva_writer_drain where much is written.
 *
 * On a lost connection the bytes are dropped; the next drain tells.
 *
 * @retval UV_EPERM  After write_eof.
 * @retval UV_EBUSY  A task sends a file: uva_writer_sendfile.
 * @retval UV_ENOMEM Nothing was kept; if some of it was sent already, the
 *                   connection is lost too.
 * @retval UV_EINVAL size is above PTRDIFF_MAX: likely a negative code that was
 *                   passed as a size. Nothing was sent.
 * @suspends Never.
 * @asyncio StreamWriter.write
 */
UVA_EXTERN UVA_NODISCARD int
uva_writer_write(uva_writer_t *writer, const void *data, size_t size);
/** Write an owned buffer, which is empty afterwards, also on error. What cannot
 * leave yet is kept without a copy. */
UVA_EXTERN UVA_NODISCARD int uva_writer_write_take(uva_writer_t *writer,
                                                   uva_buffer_t *take_buffer);
/** Write several pieces as if they were one. @asyncio StreamWriter.writelines
 */
UVA_EXTERN UVA_NODISCARD int uva_writer_writelines(uva_writer_t *writer,
                                                   const uva_bytes_t *lines,
                                                   size_t count);
/** Write a text made as printf makes it. @return Its bytes, or a code. */
UVA_EXTERN UVA_NODISCARD int uva_writer_printf(uva_writer_t *writer,
                                               const char *format,
                                               ...) UVA_PRINTF(2, 3);

/**
 * Wait until so much was sent that more should be written.
 *
 * @retval UV_ECONNRESET The connection is lost; also another code, with which
 * it was lost.
 * @retval UV_ECANCELED  The task was cancelled; what was written stays.
 * @suspends Only above the high mark, until the low mark; for an iteration on a
 *           connection that is closing.
 * @asyncio StreamWriter.drain
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int uva_writer_drain(uva_writer_t *writer);
/** The poll half of uva_writer_drain. */
UVA_EXTERN UVA_NODISCARD int uva_writer_drain_poll(uva_writer_t *writer);

/**
 * Write, then drain: a write that waits by itself while too much is unsent.
 *
 * @param data Borrowed until the call returns; what cannot leave is copied.
 * @return 0, or a code of uva_writer_write, after which nothing was awaited, or
 *         of uva_writer_drain.
 * @retval UV_ECANCELED The task was cancelled; what was written stays.
 * @suspends As uva_writer_drain.
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva_writer_send(uva_writer_t *writer, const void *data, size_t size);
/** The poll half of uva_writer_send. */
UVA_EXTERN UVA_NODISCARD int
uva_writer_send_poll(uva_writer_t *writer, const void *data, size_t size);

/** uva_transport_sendfile of the writer's transport. */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva_writer_sendfile(uva_writer_t *writer,
                    int file,
                    const uva_sendfile_options_t *options,
                    uint64_t *ret_sent);
/** The poll half of uva_writer_sendfile. */
UVA_EXTERN UVA_NODISCARD int
uva_writer_sendfile_poll(uva_sendfile_op_t *op,
                         uva_writer_t *writer,
                         int file,
                         const uva_sendfile_options_t *options,
                         uint64_t *ret_sent);

/** uva_transport_send_fds of the writer's transport. Those that come are taken
 * by uva_transport_take_fds. */
UVA_EXTERN UVA_NODISCARD int uva_writer_send_fds(uva_writer_t *writer,
                                                 const void *data,
                                                 size_t size,
                                                 const int *fds,
                                                 size_t count);

/** Send end of stream behind what was written; reading goes on. Idempotent.
 * @asyncio StreamWriter.write_eof */
UVA_EXTERN int uva_writer_write_eof(uva_writer_t *writer);
/** @asyncio StreamWriter.can_write_eof */
UVA_EXTERN bool uva_writer_can_write_eof(const uva_writer_t *writer);

/** Stop reading, send what was written, close; uva_writer_wait_closed waits for
 * the end of that. Idempotent. @suspends Never. @asyncio StreamWriter.close */
UVA_EXTERN void uva_writer_close(uva_writer_t *writer);
/** @asyncio StreamWriter.is_closing */
UVA_EXTERN bool uva_writer_is_closing(const uva_writer_t *writer);
/**
 * Wait until the connection is closed, whichever side closes it.
 *
 * @return 0, or the code with which the connection was lost.
 * @retval UV_ECANCELED The task was cancelled; a close goes on.
 * @suspends Unless the connection is closed.
 * @asyncio StreamWriter.wait_closed
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva_writer_wait_closed(uva_writer_t *writer);
/** The poll half of uva_writer_wait_closed. */
UVA_EXTERN UVA_NODISCARD int uva_writer_wait_closed_poll(uva_writer_t *writer);

/**
 * Let a reader and a writer stand on a transport on which a protocol stands
 * (protocols.h). The protocol hears nothing more. If the transport had streams
 * before, they are the same reader and writer again.
 *
 * @param limit_bytes Of the reader; 0 for the default. Ignored if the transport
 *                    had streams before.
 * @param ret_reader, ret_writer New references.
 * @retval UV_EPERM  The transport is closing, or connection_made is still to
 *                   come; or the engine of a filter is being called.
 * @retval UV_EINVAL The limit is above 1 GiB.
 * @retval UV_ENOMEM Nothing has changed.
 * @suspends Never.
 * @asyncio set_protocol(StreamReaderProtocol(reader)), StreamWriter
 */
UVA_EXTERN UVA_NODISCARD int uva_stream_on(uva_transport_t *transport,
                                           size_t limit_bytes,
                                           uva_reader_t **ret_reader,
                                           uva_writer_t **ret_writer);

/** The transport below, for its marks, its addresses, its socket,
 * uva_transport_abort; borrowed.
 * @asyncio StreamWriter.transport, StreamWriter.get_extra_info */
UVA_EXTERN uva_transport_t *uva_writer_transport(const uva_writer_t *writer);

/** Take a reference. @return writer itself; NULL for NULL. */
UVA_EXTERN uva_writer_t *uva_writer_ref(uva_writer_t *writer);
/** Drop a reference. @return NULL. */
UVA_EXTERN uva_writer_t *uva_writer_unref(uva_writer_t *writer);

UVA_END_DECLS

#endif /* UVA_STREAMS_H */
