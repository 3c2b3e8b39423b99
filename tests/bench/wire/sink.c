/* sink: an SMTP server that takes every letter and forgets it, but for one line.

     sink PORT NOTES

   It listens on 127.0.0.1:PORT. NOTES gets a line for each letter: "LOCAL-PART CLOCK OCTETS SPF DKIM DMARC", where CLOCK
   is CLOCK_MONOTONIC at its final dot, and the rest are the results that its header fields state, "-" where none is. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEADER = 16384, BUFFER = 65536, RESULT = 16 };

struct session {
  int fd, in_letter, is_leaving;
  char local_part[128];
  long octets;
  size_t filled, kept;
  char header[HEADER + 1], buffer[BUFFER];
};

static FILE *notes;
static volatile sig_atomic_t stopped;

static void stop(int signal_number) { (void)signal_number, stopped = 1; }

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static void say(struct session *session, const char *text) {
  if (write(session->fd, text, strlen(text)) < 0) session->is_leaving = 1;
}

/* The result that follows `key` in the header: a pass, where there is one (several signatures). */
static void find_result(const char *header, const char *key, char result[RESULT]) {
  strcpy(result, "-");
  for (const char *at = header; (at = strcasestr(at, key));) {
    int is_word = at == header || !isalnum((unsigned char)at[-1]), length = 0;
    at += strlen(key);
    while (length < RESULT - 1 && isalpha((unsigned char)at[length])) length++;
    if (!is_word || !length || (result[0] != '-' && strncasecmp(at, "pass", 4))) continue;
    snprintf(result, length + 1, "%s", at);
  }
}

static void note(struct session *session) {
  char spf[RESULT], dkim[RESULT], dmarc[RESULT];
  session->header[session->kept] = 0;
  char *end = strstr(session->header, "\r\n\r\n");
  if (end) *end = 0;
  find_result(session->header, "spf=", spf);
  find_result(session->header, "dkim=", dkim);
  find_result(session->header, "dmarc=", dmarc);
  fprintf(notes, "%s %.6f %ld %s %s %s\n", session->local_part, now(), session->octets, spf, dkim, dmarc);
}

static void begin(struct session *session, const char *line, size_t size) {
  const char *start = memchr(line, '<', size);
  size_t length = 0;
  for (const char *at = start ? start + 1 : line + size; at < line + size && *at != '@' && *at != '>'; at++)
    if (length < sizeof session->local_part - 1) session->local_part[length++] = *at;
  session->local_part[length] = 0;
  session->octets = session->kept = 0;
  say(session, "250 2.1.0 Ok\r\n");
}

static void take_text(struct session *session, const char *line, size_t size) {
  if (size == 3 && !memcmp(line, ".\r\n", 3)) {
    session->in_letter = 0;
    note(session);
    return say(session, "250 2.0.0 Ok: queued as 1\r\n");
  }
  session->octets += size;
  if (session->kept + size > HEADER) return;
  memcpy(session->header + session->kept, line, size);
  session->kept += size;
}

static void take_command(struct session *session, const char *line, size_t size) {
  if (!strncasecmp(line, "EHLO", 4))
    say(session, "250-sink.example.org\r\n250-PIPELINING\r\n250-SIZE 104857600\r\n250-8BITMIME\r\n"
                 "250-ENHANCEDSTATUSCODES\r\n250 SMTPUTF8\r\n");
  else if (!strncasecmp(line, "MAIL", 4)) begin(session, line, size);
  else if (!strncasecmp(line, "DATA", 4)) session->in_letter = 1, say(session, "354 Go on\r\n");
  else if (!strncasecmp(line, "QUIT", 4)) say(session, "221 2.0.0 Bye\r\n"), session->is_leaving = 1;
  else say(session, "250 2.0.0 Ok\r\n");
}

/* False where the session is over. */
static int hear(struct session *session) {
  ssize_t count = read(session->fd, session->buffer + session->filled, BUFFER - session->filled);
  if (count <= 0) return count < 0 && errno == EAGAIN;
  session->filled += count;
  char *line = session->buffer, *end = session->buffer + session->filled, *feed;
  while (!session->is_leaving && (feed = memchr(line, '\n', end - line))) {
    (session->in_letter ? take_text : take_command)(session, line, feed + 1 - line);
    line = feed + 1;
  }
  session->filled = end - line;
  if (session->filled == BUFFER) session->octets += BUFFER, session->filled = 0;
  memmove(session->buffer, line, session->filled);
  return !session->is_leaving;
}

static void let_in(int listener, int epoll) {
  int fd, yes = 1;
  while ((fd = accept4(listener, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    struct session *session = calloc(1, sizeof *session);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = session};
    session->fd = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    say(session, "220 sink.example.org ESMTP\r\n");
  }
}

static int listen_at(int port) {
  int yes = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 4096)) perror("listen"), exit(1);
  return fd;
}

int main(int argc, char **argv) {
  if (argc != 3 || !(notes = fopen(argv[2], "a"))) return fprintf(stderr, "usage: sink PORT NOTES\n"), 2;
  signal(SIGPIPE, SIG_IGN), signal(SIGTERM, stop), signal(SIGINT, stop);
  int listener = listen_at(atoi(argv[1])), epoll = epoll_create1(EPOLL_CLOEXEC), is_written = 1;
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = 0}, events[256];
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  while (!stopped) {
    int count = epoll_wait(epoll, events, 256, is_written ? -1 : 50);
    for (int at = 0; at < count; at++) {
      struct session *session = events[at].data.ptr;
      if (!session) let_in(listener, epoll);
      else if (!hear(session)) close(session->fd), free(session);
    }
    is_written = !count; /* written where there is nothing else to do */
    if (is_written) fflush(notes);
  }
  fclose(notes);
  return 0;
}
