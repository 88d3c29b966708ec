/**
 * @file
 * The codes of <uv.h> where <uv.h> itself cannot be included: see
 * uva/errors.h, which is the only one to include this.
 */
#ifndef UVA_UV_CODES_H
#define UVA_UV_CODES_H

#include <errno.h>

#include <uv/errno.h>

/** Opaque here; a program that makes one includes <uv.h>. */
typedef struct uv_loop_s uv_loop_t;
/** Likewise. */
typedef struct uv_stream_s uv_stream_t;

#ifdef UV__E2BIG
#    define UV_E2BIG UV__E2BIG
#endif
#ifdef UV__EACCES
#    define UV_EACCES UV__EACCES
#endif
#ifdef UV__EADDRINUSE
#    define UV_EADDRINUSE UV__EADDRINUSE
#endif
#ifdef UV__EADDRNOTAVAIL
#    define UV_EADDRNOTAVAIL UV__EADDRNOTAVAIL
#endif
#ifdef UV__EAFNOSUPPORT
#    define UV_EAFNOSUPPORT UV__EAFNOSUPPORT
#endif
#ifdef UV__EAGAIN
#    define UV_EAGAIN UV__EAGAIN
#endif
#ifdef UV__EAI_ADDRFAMILY
#    define UV_EAI_ADDRFAMILY UV__EAI_ADDRFAMILY
#endif
#ifdef UV__EAI_AGAIN
#    define UV_EAI_AGAIN UV__EAI_AGAIN
#endif
#ifdef UV__EAI_BADFLAGS
#    define UV_EAI_BADFLAGS UV__EAI_BADFLAGS
#endif
#ifdef UV__EAI_BADHINTS
#    define UV_EAI_BADHINTS UV__EAI_BADHINTS
#endif
#ifdef UV__EAI_CANCELED
#    define UV_EAI_CANCELED UV__EAI_CANCELED
#endif
#ifdef UV__EAI_FAIL
#    define UV_EAI_FAIL UV__EAI_FAIL
#endif
#ifdef UV__EAI_FAMILY
#    define UV_EAI_FAMILY UV__EAI_FAMILY
#endif
#ifdef UV__EAI_MEMORY
#    define UV_EAI_MEMORY UV__EAI_MEMORY
#endif
#ifdef UV__EAI_NODATA
#    define UV_EAI_NODATA UV__EAI_NODATA
#endif
#ifdef UV__EAI_NONAME
#    define UV_EAI_NONAME UV__EAI_NONAME
#endif
#ifdef UV__EAI_OVERFLOW
#    define UV_EAI_OVERFLOW UV__EAI_OVERFLOW
#endif
#ifdef UV__EAI_PROTOCOL
#    define UV_EAI_PROTOCOL UV__EAI_PROTOCOL
#endif
#ifdef UV__EAI_SERVICE
#    define UV_EAI_SERVICE UV__EAI_SERVICE
#endif
#ifdef UV__EAI_SOCKTYPE
#    define UV_EAI_SOCKTYPE UV__EAI_SOCKTYPE
#endif
#ifdef UV__EALREADY
#    define UV_EALREADY UV__EALREADY
#endif
#ifdef UV__EBADF
#    define UV_EBADF UV__EBADF
#endif
#ifdef UV__EBUSY
#    define UV_EBUSY UV__EBUSY
#endif
#ifdef UV__ECANCELED
#    define UV_ECANCELED UV__ECANCELED
#endif
#ifdef UV__ECHARSET
#    define UV_ECHARSET UV__ECHARSET
#endif
#ifdef UV__ECONNABORTED
#    define UV_ECONNABORTED UV__ECONNABORTED
#endif
#ifdef UV__ECONNREFUSED
#    define UV_ECONNREFUSED UV__ECONNREFUSED
#endif
#ifdef UV__ECONNRESET
#    define UV_ECONNRESET UV__ECONNRESET
#endif
#ifdef UV__EDESTADDRREQ
#    define UV_EDESTADDRREQ UV__EDESTADDRREQ
#endif
#ifdef UV__EEXIST
#    define UV_EEXIST UV__EEXIST
#endif
#ifdef UV__EFAULT
#    define UV_EFAULT UV__EFAULT
#endif
#ifdef UV__EFBIG
#    define UV_EFBIG UV__EFBIG
#endif
#ifdef UV__EHOSTUNREACH
#    define UV_EHOSTUNREACH UV__EHOSTUNREACH
#endif
#ifdef UV__EINTR
#    define UV_EINTR UV__EINTR
#endif
#ifdef UV__EINVAL
#    define UV_EINVAL UV__EINVAL
#endif
#ifdef UV__EIO
#    define UV_EIO UV__EIO
#endif
#ifdef UV__EISCONN
#    define UV_EISCONN UV__EISCONN
#endif
#ifdef UV__EISDIR
#    define UV_EISDIR UV__EISDIR
#endif
#ifdef UV__ELOOP
#    define UV_ELOOP UV__ELOOP
#endif
#ifdef UV__EMFILE
#    define UV_EMFILE UV__EMFILE
#endif
#ifdef UV__EMSGSIZE
#    define UV_EMSGSIZE UV__EMSGSIZE
#endif
#ifdef UV__ENAMETOOLONG
#    define UV_ENAMETOOLONG UV__ENAMETOOLONG
#endif
#ifdef UV__ENETDOWN
#    define UV_ENETDOWN UV__ENETDOWN
#endif
#ifdef UV__ENETUNREACH
#    define UV_ENETUNREACH UV__ENETUNREACH
#endif
#ifdef UV__ENFILE
#    define UV_ENFILE UV__ENFILE
#endif
#ifdef UV__ENOBUFS
#    define UV_ENOBUFS UV__ENOBUFS
#endif
#ifdef UV__ENODEV
#    define UV_ENODEV UV__ENODEV
#endif
#ifdef UV__ENOENT
#    define UV_ENOENT UV__ENOENT
#endif
#ifdef UV__ENOMEM
#    define UV_ENOMEM UV__ENOMEM
#endif
#ifdef UV__ENONET
#    define UV_ENONET UV__ENONET
#endif
#ifdef UV__ENOPROTOOPT
#    define UV_ENOPROTOOPT UV__ENOPROTOOPT
#endif
#ifdef UV__ENOSPC
#    define UV_ENOSPC UV__ENOSPC
#endif
#ifdef UV__ENOSYS
#    define UV_ENOSYS UV__ENOSYS
#endif
#ifdef UV__ENOTCONN
#    define UV_ENOTCONN UV__ENOTCONN
#endif
#ifdef UV__ENOTDIR
#    define UV_ENOTDIR UV__ENOTDIR
#endif
#ifdef UV__ENOTEMPTY
#    define UV_ENOTEMPTY UV__ENOTEMPTY
#endif
#ifdef UV__ENOTSOCK
#    define UV_ENOTSOCK UV__ENOTSOCK
#endif
#ifdef UV__ENOTSUP
#    define UV_ENOTSUP UV__ENOTSUP
#endif
#ifdef UV__EOVERFLOW
#    define UV_EOVERFLOW UV__EOVERFLOW
#endif
#ifdef UV__EPERM
#    define UV_EPERM UV__EPERM
#endif
#ifdef UV__EPIPE
#    define UV_EPIPE UV__EPIPE
#endif
#ifdef UV__EPROTO
#    define UV_EPROTO UV__EPROTO
#endif
#ifdef UV__EPROTONOSUPPORT
#    define UV_EPROTONOSUPPORT UV__EPROTONOSUPPORT
#endif
#ifdef UV__EPROTOTYPE
#    define UV_EPROTOTYPE UV__EPROTOTYPE
#endif
#ifdef UV__ERANGE
#    define UV_ERANGE UV__ERANGE
#endif
#ifdef UV__EROFS
#    define UV_EROFS UV__EROFS
#endif
#ifdef UV__ESHUTDOWN
#    define UV_ESHUTDOWN UV__ESHUTDOWN
#endif
#ifdef UV__ESPIPE
#    define UV_ESPIPE UV__ESPIPE
#endif
#ifdef UV__ESRCH
#    define UV_ESRCH UV__ESRCH
#endif
#ifdef UV__ETIMEDOUT
#    define UV_ETIMEDOUT UV__ETIMEDOUT
#endif
#ifdef UV__ETXTBSY
#    define UV_ETXTBSY UV__ETXTBSY
#endif
#ifdef UV__EXDEV
#    define UV_EXDEV UV__EXDEV
#endif
#ifdef UV__UNKNOWN
#    define UV_UNKNOWN UV__UNKNOWN
#endif
#ifdef UV__EOF
#    define UV_EOF UV__EOF
#endif
#ifdef UV__ENXIO
#    define UV_ENXIO UV__ENXIO
#endif
#ifdef UV__EMLINK
#    define UV_EMLINK UV__EMLINK
#endif
#ifdef UV__EHOSTDOWN
#    define UV_EHOSTDOWN UV__EHOSTDOWN
#endif
#ifdef UV__EREMOTEIO
#    define UV_EREMOTEIO UV__EREMOTEIO
#endif
#ifdef UV__ENOTTY
#    define UV_ENOTTY UV__ENOTTY
#endif
#ifdef UV__EFTYPE
#    define UV_EFTYPE UV__EFTYPE
#endif
#ifdef UV__EILSEQ
#    define UV_EILSEQ UV__EILSEQ
#endif
#ifdef UV__ESOCKTNOSUPPORT
#    define UV_ESOCKTNOSUPPORT UV__ESOCKTNOSUPPORT
#endif

#endif /* UVA_UV_CODES_H */
