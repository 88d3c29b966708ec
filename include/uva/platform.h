/**
 * @file
 * Compiler attributes, the only place in the public headers that has any.
 */
#ifndef UVA_PLATFORM_H
#define UVA_PLATFORM_H

/* Tasks and stacks are laid out for pointers of 64 bits. */
#if defined(__SIZEOF_POINTER__) && __SIZEOF_POINTER__ != 8
#    error "uva needs a 64-bit target (README.md, Status)"
#endif

/** UVA_BEGIN_DECLS and UVA_END_DECLS stand around the declarations of a
 * header: extern "C" for C++. */
#ifdef __cplusplus
#    define UVA_BEGIN_DECLS extern "C" {
#    define UVA_END_DECLS   }
#else
#    define UVA_BEGIN_DECLS
#    define UVA_END_DECLS
#endif

/** UVA_EXTERN: part of the library's interface. UVA_NODISCARD: to drop the
 * result loses an error, a cancellation or a reference; the compiler warns, and
 * UVA_IGNORE says that it is meant. UVA_UNUSED: may go unused. UVA_PRINTF:
 * parameter f is a format for printf, a the first that it formats. */
#if defined(__GNUC__)
#    define UVA_EXTERN        __attribute__((visibility("default")))
#    define UVA_NODISCARD     __attribute__((warn_unused_result))
#    define UVA_UNUSED        __attribute__((unused))
#    define UVA_PRINTF(f, a)  __attribute__((format(printf, f, a)))
#    define UVA__MAY_ALIAS    __attribute__((may_alias))
#    define UVA__CLEANUP(f)   __attribute__((cleanup(f)))
#    define UVA__HAVE_CLEANUP 1
#else
#    define UVA_EXTERN
#    define UVA_NODISCARD
#    define UVA_UNUSED
#    define UVA_PRINTF(f, a)
#    define UVA__MAY_ALIAS
#    define UVA__CLEANUP(f)
#endif

/** Drop a result on purpose: UVA_IGNORE(uva_sleep(0)). A cast to void is not
 * enough for gcc. */
#define UVA_IGNORE(expression) ((void)!(expression))

/**
 * Marks a function that may suspend the calling task. It expands to nothing;
 * readers and checkers look for it.
 */
#define UVA_CORO

/** private: make the padding of an object zero, where the compiler can: debug
 * mode looks at arguments as words. */
#if defined(__has_builtin)
#    if __has_builtin(__builtin_clear_padding)
#        define UVA__CLEAR_PADDING(object) __builtin_clear_padding(object)
#    endif
#endif
#ifndef UVA__CLEAR_PADDING
#    define UVA__CLEAR_PADDING(object) ((void)(object))
#endif

#define UVA__CAT_(a, b) a##b
#define UVA__CAT(a, b)  UVA__CAT_(a, b)
/* A for three or more arguments, 0 for two; at most 16. */
#define UVA__PICK(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, ...) q
#define UVA__HAS_ARGS(...) \
    UVA__PICK(__VA_ARGS__, A, A, A, A, A, A, A, A, A, A, A, A, A, A, 0, 0, 0)
#define UVA__STRING_(a) #a
#define UVA__STRING(a)  UVA__STRING_(a)
/** Where a call stands in the source: "file.c:12". */
#define UVA__HERE __FILE__ ":" UVA__STRING(__LINE__)

#endif /* UVA_PLATFORM_H */
