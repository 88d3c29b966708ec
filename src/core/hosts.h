/*
 * Forks of the process: the part of it that drivers call.
 */
#ifndef UVA__CORE_HOSTS_H
#define UVA__CORE_HOSTS_H

/** From the first call on, mark the loops in the child of each fork as forked.
 * A driver that shares something with its parent calls this when it opens.
 * @thread any */
void uva__forks_watch(void);

#endif /* UVA__CORE_HOSTS_H */
