/*
 * The file of a unix socket that listens: made by bind, in the way of the next
 * server when the last one has not removed it.
 */
#ifndef UVA__IO_SOCKET_FILE_H
#define UVA__IO_SOCKET_FILE_H

#include "io/address.h"

typedef struct uva__socket_file_s uva__socket_file_t;

/**
 * Bind a unix socket, and remember its file. A file in its place is replaced if
 * it is a socket on which nobody listens, or if steal says so.
 *
 * @param mode     Permissions of the file; 0 leaves them.
 * @param ret_file Owned; NULL for an abstract name.
 * @return 0, or a code, and no file was made:
 * @retval UV_EADDRINUSE A server listens there, or the file is no socket.
 * @retval UV_ENOMEM     There is no memory.
 */
int uva__socket_file_bind(int fd,
                          const uva__sockaddr_t *address,
                          unsigned mode,
                          bool steal,
                          uva__socket_file_t **ret_file);
/** Remember the file of a socket that is bound. *ret_file: owned; NULL if there
 * is none. @return 0 or UV_ENOMEM. */
int uva__socket_file_find(int fd, uva__socket_file_t **ret_file);
/** Forget a file, and remove it if asked for and if it is still the same. To be
 * called before the socket is closed: until then no other file can have the
 * same number. NULL is allowed. */
void uva__socket_file_end(uva__socket_file_t *take_file, bool removes);

#endif /* UVA__IO_SOCKET_FILE_H */
