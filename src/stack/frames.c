/*
 * The calls that are under way on a stack, by the unwinder that C++ exceptions
 * use. It follows the frames of a stackful task up to its entry function, where
 * the description of the stack ends.
 *
 * Invariant: uva__frames_take allocates nothing and takes no lock of ours.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif

#include "stack/frames.h"

#include <string.h>

#include "base/format.h"
#include "base/util.h"

#if defined(__GNUC__)
#    include <dlfcn.h>
#    include <unwind.h>
#    if defined(__ELF__)
#        include <link.h>
#    endif

typedef struct frames_s {
    uintptr_t *frames;
    size_t count;
    size_t room;
    uintptr_t end;
    uintptr_t last; /* The stack pointer of the frame before this one. */
} frames_t;

/* Called for each frame, innermost first. Frames up to the signal's own are
 * those of the handler: the list begins anew behind it. A frame that was not
 * interrupted has a return address, which may lie in the next function or line:
 * the call is before it. */
static _Unwind_Reason_Code frames_next(struct _Unwind_Context *context,
                                       void *data)
{
    frames_t *list = data;
    int interrupted = 0;
    uintptr_t address = _Unwind_GetIPInfo(context, &interrupted);
    uintptr_t top = _Unwind_GetCFA(context);

    if (interrupted != 0) {
        list->count = 0;
    } else if (list->last <= list->end && top > list->end) {
        return _URC_NORMAL_STOP; /* The first frame above the end. */
    }
    list->last = top;
    if (address == 0 || list->count == list->room) {
        return interrupted == 0 && address != 0 ? _URC_NO_REASON
                                                : _URC_NORMAL_STOP;
    }
    list->frames[list->count++] = address - (interrupted == 0);
    return _URC_NO_REASON;
}

UVA__NOINLINE size_t uva__frames_take(uintptr_t *frames,
                                      size_t count,
                                      uintptr_t end)
{
    frames_t list = {
        .frames = frames, .room = count, .end = end, .last = UINTPTR_MAX};

    (void)_Unwind_Backtrace(frames_next, &list);
    return list.count;
}

/* Where the addresses of a file begin: in a program that is not
 * position-independent they are those of the process. */
static uintptr_t frames_base(const Dl_info *info)
{
#    if defined(__ELF__)
    const ElfW(Ehdr) *header = info->dli_fbase;

    if (memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 &&
        header->e_type == ET_EXEC) {
        return 0;
    }
#    endif
    return (uintptr_t)info->dli_fbase;
}

/* One line. A file is named without its folder. */
static size_t frames_line(char *text, size_t size, uintptr_t frame)
{
    Dl_info info = {0};
    const char *file = NULL;

    if (dladdr((void *)frame, &info) == 0) {
        return uva__format(text, size, "\n  at 0x%llx",
                           (unsigned long long)frame);
    }
    file = info.dli_fname == NULL ? NULL : strrchr(info.dli_fname, '/');
    file = file != NULL ? file + 1 : info.dli_fname;
    return uva__format(text, size, "\n  at %s (%s+0x%llx)",
                       info.dli_sname == NULL ? "?" : info.dli_sname,
                       file == NULL ? "" : file,
                       (unsigned long long)(frame - frames_base(&info)));
}

#else

size_t uva__frames_take(uintptr_t *frames, size_t count, uintptr_t end)
{
    (void)frames;
    (void)count;
    (void)end;
    return 0;
}

static size_t frames_line(char *text, size_t size, uintptr_t frame)
{
    return uva__format(text, size, "\n  at 0x%llx", (unsigned long long)frame);
}

#endif

size_t uva__frames_describe(char *text,
                            size_t size,
                            const uintptr_t *frames,
                            size_t count)
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        size_t line = frames_line(text + used, size - used, frames[i]);

        if (used + line >= size) {
            text[used] = '\0';
            break;
        }
        used += line;
    }
    return used;
}
