/*
 * Where bodies go. A body is written under a name of its own and renamed when
 * it is whole, so that nobody meets half of one, and two fetches of one page,
 * by one program or by two, do not meet at all. What a run left that was killed
 * stays: it cannot be told from what another is writing. Both names begin with
 * digits and hold no slash: they cannot leave the folder, and a link that
 * somebody put there is replaced, not followed.
 */
#include "crawl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    /* With the numbers and ".part" below the usual 255. */
    NAME_MAX_BYTES = 200,
    PARTS_MAX = 100000 /* As many pages there can be at the same time. */
};

static void page_fail_file(page_t *page, const char *path)
{
    page_fail(page, "cannot write %.100s: %s", path, strerror(errno));
}

/* Create a file that nobody else has. @return Its descriptor, or -1. */
static int part_open(body_file_t *file, size_t room)
{
    int fd = -1;

    errno = EEXIST;
    for (int i = 0; fd < 0 && errno == EEXIST && i < PARTS_MAX; i++) {
        snprintf(file->part_path, room, "%s.%ld.%d.part", file->path,
                 (long)getpid(), i);
        fd = open(file->part_path,
                  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    }
    return fd;
}

static bool file_open(body_file_t *file,
                      const crawl_t *crawl,
                      const url_t *url,
                      page_t *page)
{
    const char *folder = crawl->options->folder;
    char name[NAME_MAX_BYTES + 1];
    size_t room = strlen(folder) + sizeof name + 64;

    url_file_name(url, name, sizeof name);
    file->path = malloc(room);
    file->part_path = malloc(room);
    if (file->path == NULL || file->part_path == NULL) {
        page_fail_code(page, UV_ENOMEM, NULL);
        return false;
    }
    snprintf(file->path, room, "%s/%04zu-%s", folder, page->index, name);
    file->fd = part_open(file, room);
    if (file->fd < 0) {
        page_fail_file(page, file->path);
    }
    return file->fd >= 0;
}

bool body_file_add(body_file_t *file,
                   const crawl_t *crawl,
                   const url_t *url,
                   page_t *page,
                   uva_bytes_t bytes)
{
    if (crawl->options->folder == NULL) {
        return true;
    }
    if (file->fd < 0 && !file_open(file, crawl, url, page)) {
        return false;
    }
    while (bytes.size > 0) {
        ssize_t written = write(file->fd, bytes.data, bytes.size);

        if (written < 0 && errno != EINTR) {
            page_fail_file(page, file->path);
            return false;
        }
        if (written > 0) {
            bytes.data += written;
            bytes.size -= (size_t)written;
        }
    }
    return true;
}

static void file_finish(body_file_t *file, page_t *page)
{
    if (close(file->fd) != 0 && errno != EINTR) {
        page_fail_file(page, file->path);
    }
    if (page->error[0] == '\0' && rename(file->part_path, file->path) != 0) {
        page_fail_file(page, file->path);
    }
    if (page->error[0] != '\0') {
        unlink(file->part_path);
        return;
    }
    page->file = file->path;
    file->path = NULL;
}

void body_file_close(body_file_t *file, page_t *page)
{
    if (file->fd >= 0) {
        file_finish(file, page);
    }
    free(file->path);
    free(file->part_path);
}
