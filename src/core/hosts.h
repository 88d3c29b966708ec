/*
 * Forks of the process, as the drivers have to know them.
 */
#ifndef UVA__CORE_HOSTS_H
#define UVA__CORE_HOSTS_H

/** Have loops told of forks in their children, from the first call on. */
void uva__forks_watch(void);

#endif /* UVA__CORE_HOSTS_H */
