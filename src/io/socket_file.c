/*
 * Files of unix sockets (asyncio.unix_events, create_unix_server and
 * _stop_serving).
 *
 * Invariant: nothing is removed but sockets, and of those only files on which
 * nobody listens, or which the user has asked to take over, or which are still
 * the ones that were bound.
 */
#include "io/socket_file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <uv.h>

#include "base/alloc.h"
#include "base/log.h"
#include "io/sockets.h"

struct uva__socket_file_s {
    dev_t device; /* With number: what the file is known by. */
    ino_t number;
    char path[UVA__UNIX_NAME];
};

/* Remember the file of an address. @return Whether there is one. */
static bool file_identify(uva__socket_file_t *file,
                          const uva__sockaddr_t *address)
{
    struct stat info;

    if (!uva__sockaddr_is_file(address)) {
        return false;
    }
    uva__sockaddr_name(address, file->path);
    if (lstat(file->path, &info) < 0) {
        return false;
    }
    file->device = info.st_dev;
    file->number = info.st_ino;
    return true;
}

/* Whether what stands at a path may be removed: a socket that refuses to be
 * connected. A server whose backlog is full answers EAGAIN. @return 0, or why
 * it must stay. */
static int file_check(const uva__sockaddr_t *address, bool steal)
{
    struct stat info;
    int error;
    int fd;

    if (lstat(address->un.sun_path, &info) < 0) {
        return errno == ENOENT ? 0 : UV_EADDRINUSE; /* It has gone. */
    }
    if (!S_ISSOCK(info.st_mode)) {
        return UV_EADDRINUSE;
    }
    if (steal) {
        return 0;
    }
    fd = uva__socket_open(AF_UNIX);
    if (fd < 0) {
        return fd;
    }
    error = connect(fd, &address->any, address->size) < 0 ? errno : 0;
    close(fd);
    return error == ECONNREFUSED || error == ENOENT ? 0 : UV_EADDRINUSE;
}

static int file_bind(int fd, const uva__sockaddr_t *address, bool steal)
{
    int r;

    if (bind(fd, &address->any, address->size) == 0) {
        return 0;
    }
    if (errno != EADDRINUSE || !uva__sockaddr_is_file(address)) {
        return uv_translate_sys_error(errno);
    }
    r = file_check(address, steal);
    if (r < 0) {
        return r;
    }
    /* A failure is the bind's to tell. */
    (void)unlink(address->un.sun_path);
    return bind(fd, &address->any, address->size) < 0
               ? uv_translate_sys_error(errno)
               : 0;
}

int uva__socket_file_bind(int fd,
                          const uva__sockaddr_t *address,
                          unsigned mode,
                          bool steal,
                          uva__socket_file_t **ret_file)
{
    const char *path = address->un.sun_path;
    uva__socket_file_t *file = uva__calloc(1, sizeof *file);
    int r = file == NULL ? UV_ENOMEM : file_bind(fd, address, steal);

    if (r < 0 || !uva__sockaddr_is_file(address)) {
        uva__free(file);
        *ret_file = NULL;
        return r;
    }
    /* Nobody can connect yet: the socket does not listen. */
    if (mode != 0 && chmod(path, (mode_t)mode) < 0) {
        r = uv_translate_sys_error(errno);
        (void)unlink(path);
    }
    if (r < 0 || !file_identify(file, address)) {
        uva__free(file);
        file = NULL;
    }
    *ret_file = file;
    return r;
}

int uva__socket_file_find(int fd, uva__socket_file_t **ret_file)
{
    uva__sockaddr_t address;
    uva__socket_file_t *file = uva__calloc(1, sizeof *file);

    if (file == NULL) {
        return UV_ENOMEM;
    }
    if (uva__sockaddr_of_socket(fd, &address) < 0 ||
        !file_identify(file, &address)) {
        uva__free(file);
        file = NULL;
    }
    *ret_file = file;
    return 0;
}

void uva__socket_file_end(uva__socket_file_t *take_file, bool removes)
{
    struct stat info;

    if (take_file == NULL) {
        return;
    }
    if (removes && lstat(take_file->path, &info) == 0 &&
        info.st_dev == take_file->device && info.st_ino == take_file->number &&
        unlink(take_file->path) < 0 && errno != ENOENT) {
        uva__log(UVA_LOG_WARNING, "cannot remove the socket '%s': %s",
                 take_file->path, uva_strerror(uv_translate_sys_error(errno)));
    }
    uva__free(take_file);
}
