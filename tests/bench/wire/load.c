/* load: brings letters by SMTP over many connections at once, retries nothing, and notes what became of each.

     load PORT FIRST INDEX CONNECTIONS LETTERS EACH SECONDS NAME FATES

   It connects to 127.0.0.1:PORT from the thousand addresses that follow FIRST (its last octet is 0), one after another.
   INDEX has a line for each letter, "FILE DOMAIN"; they are brought in turn, LETTERS of them in all, EACH of them on
   one connection, and none is begun after SECONDS. The local part of MAIL FROM is NAME-NUMBER.
   FATES gets a line for each letter: "NAME-NUMBER accepted MS MS", the first from the beginning of its transaction
   (with the connection, where it is the first on it) and the second from its final dot, or "NAME-NUMBER STEP:WHAT".
   MAIL, RCPT and DATA go in one packet where PIPELINING is offered. Prints the clock (CLOCK_MONOTONIC) at the start. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { ADDRESSES = 1000, PER_NETWORK = 250, LINE = 1024, PATIENCE = 30 };
enum step { FREE, BANNER, EHLO, MAIL, RCPT, DATA, BODY, DOT, QUIT };
static const char *const step_names[] = {"free", "banner", "ehlo", "mail", "rcpt", "data", "body", "dot", "quit"};

struct letter {
  char *octets; /* dot-stuffed, with the final dot */
  size_t size;
  char domain[128];
};

struct session {
  int fd, connection, number, brought, pipelining;
  enum step step;
  const struct letter *letter;
  size_t sent, filled;
  double began, dotted, heard;
  char buffer[4096];
};

static struct letter *letters;
static int letter_count, begun, wanted, each, epoll, alive;
static double deadline;
static struct sockaddr_in server;
static in_addr_t first_address;
static const char *name;
static FILE *fates;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static void fail(const char *what) {
  perror(what);
  exit(2);
}

/* -- letters -- */

static char *contents(const char *path, size_t *size) {
  struct stat about;
  int fd = open(path, O_RDONLY);
  if (fd < 0 || fstat(fd, &about)) fail(path);
  char *octets = malloc(about.st_size + 1);
  if (read(fd, octets, about.st_size) != about.st_size) fail(path);
  close(fd);
  *size = about.st_size;
  return octets;
}

static void read_letter(struct letter *letter, const char *path) {
  size_t size, filled = 0;
  char *plain = contents(path, &size);
  letter->octets = malloc(2 * size + 3);
  for (size_t at = 0; at < size; at++) {
    if (plain[at] == '.' && (at == 0 || plain[at - 1] == '\n')) letter->octets[filled++] = '.';
    letter->octets[filled++] = plain[at];
  }
  memcpy(letter->octets + filled, ".\r\n", 3);
  letter->size = filled + 3;
  free(plain);
}

static void read_letters(const char *index) {
  char path[1024];
  FILE *file = fopen(index, "r");
  if (!file) fail(index);
  letters = calloc(100000, sizeof *letters);
  while (letter_count < 100000 && fscanf(file, "%1023s %127s", path, letters[letter_count].domain) == 2)
    read_letter(&letters[letter_count++], path);
  fclose(file);
}

/* -- sessions -- */

static int may_begin(void) { return begun < wanted && now() < deadline; }

static void watch(struct session *session, unsigned events) {
  struct epoll_event event = {.events = events, .data.ptr = session};
  epoll_ctl(epoll, EPOLL_CTL_MOD, session->fd, &event);
}

static void say(struct session *session, const char *text) {
  if (write(session->fd, text, strlen(text)) < 0) session->heard = 0; /* found dead at the next look */
}

static void take_letter(struct session *session) {
  session->number = begun++;
  session->letter = &letters[session->number % letter_count];
  session->began = now();
}

static void connect_anew(struct session *session) {
  static unsigned turn;
  int yes = 1;
  unsigned place = turn++ % ADDRESSES;
  struct sockaddr_in from = {.sin_family = AF_INET};
  from.sin_addr.s_addr = htonl(first_address + (place / PER_NETWORK << 8) + place % PER_NETWORK + 1);
  session->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  setsockopt(session->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
  setsockopt(session->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  if (bind(session->fd, (struct sockaddr *)&from, sizeof from)) fail("bind");
  take_letter(session);
  session->connection++;
  session->step = BANNER;
  session->brought = session->pipelining = 0;
  session->filled = 0;
  session->heard = session->began;
  alive++;
  connect(session->fd, (struct sockaddr *)&server, sizeof server); /* a refusal comes as an event */
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = session};
  epoll_ctl(epoll, EPOLL_CTL_ADD, session->fd, &event);
}

static void leave(struct session *session) {
  close(session->fd);
  session->step = FREE;
  alive--;
  if (may_begin()) connect_anew(session);
}

static void lose(struct session *session, const char *what) {
  if (session->step != QUIT)
    fprintf(fates, "%s-%d %s:%s\n", name, session->number, step_names[session->step], what);
  leave(session);
}

static void ask(struct session *session) {
  char text[LINE];
  const char *rest = session->pipelining ? "RCPT TO:<alice@example.org>\r\nDATA\r\n" : "";
  snprintf(text, sizeof text, "MAIL FROM:<%s-%d@%s>\r\n%s", name, session->number, session->letter->domain, rest);
  session->step = MAIL;
  say(session, text);
}

static void send_body(struct session *session) {
  session->step = BODY;
  while (session->sent < session->letter->size) {
    ssize_t count = write(session->fd, session->letter->octets + session->sent, session->letter->size - session->sent);
    if (count < 0 && errno == EAGAIN) return watch(session, EPOLLIN | EPOLLOUT);
    if (count < 0) return lose(session, "write");
    session->sent += count;
  }
  watch(session, EPOLLIN);
  session->step = DOT;
  session->dotted = now();
}

static void accepted(struct session *session) {
  double at = now();
  fprintf(fates, "%s-%d accepted %.3f %.3f\n", name, session->number, (at - session->began) * 1e3,
          (at - session->dotted) * 1e3);
  if (++session->brought < each && may_begin()) {
    take_letter(session);
    ask(session);
  } else {
    session->step = QUIT;
    say(session, "QUIT\r\n");
  }
}

/* The last line of a reply has come. */
static void answer(struct session *session, const char *line) {
  static const char *const expected[] = {"", "220", "250", "250", "250", "354", "", "250", "221"};
  char text[LINE];
  if (strncmp(line, expected[session->step], 3)) return lose(session, line);
  switch (session->step) {
  case BANNER:
    session->step = EHLO;
    snprintf(text, sizeof text, "EHLO mail.%s\r\n", session->letter->domain);
    return say(session, text);
  case EHLO: return ask(session);
  case MAIL:
    session->step = RCPT;
    return session->pipelining ? (void)0 : say(session, "RCPT TO:<alice@example.org>\r\n");
  case RCPT:
    session->step = DATA;
    return session->pipelining ? (void)0 : say(session, "DATA\r\n");
  case DATA: session->sent = 0; return send_body(session);
  case DOT: return accepted(session);
  default: return leave(session);
  }
}

static void hear(struct session *session) {
  char *end, *line = session->buffer;
  int connection = session->connection;
  ssize_t count = read(session->fd, session->buffer + session->filled, sizeof session->buffer - 1 - session->filled);
  if (count < 0 && errno == EAGAIN) return;
  if (count <= 0) return session->step == QUIT ? leave(session) : lose(session, count ? strerror(errno) : "closed");
  session->filled += count;
  session->buffer[session->filled] = 0;
  session->heard = now();
  while ((end = strstr(line, "\r\n"))) {
    *end = 0;
    if (session->step == EHLO && strlen(line) > 4 && !strcasecmp(line + 4, "PIPELINING")) session->pipelining = 1;
    if (end - line < 4 || line[3] != '-') answer(session, line);
    if (session->step == FREE || session->connection != connection) return;
    line = end + 2;
  }
  session->filled -= line - session->buffer;
  memmove(session->buffer, line, session->filled);
  if (session->filled == sizeof session->buffer - 1) lose(session, "reply too long");
}

static void give_up_on_the_silent(struct session *sessions, int count) {
  double before = now() - PATIENCE;
  for (int at = 0; at < count; at++)
    if (sessions[at].step != FREE && sessions[at].step != BODY && sessions[at].heard < before)
      lose(&sessions[at], "silence");
}

int main(int argc, char **argv) {
  if (argc != 10) return fprintf(stderr, "usage: see the head of load.c\n"), 2;
  int connections = atoi(argv[4]);
  struct session *sessions = calloc(connections, sizeof *sessions);
  struct epoll_event events[256];
  signal(SIGPIPE, SIG_IGN);
  server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  first_address = ntohl(inet_addr(argv[2]));
  read_letters(argv[3]);
  wanted = atoi(argv[5]), each = atoi(argv[6]), name = argv[8];
  if (!letter_count || !(fates = fopen(argv[9], "w"))) fail(argv[9]);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  double looked = now();
  deadline = looked + atof(argv[7]);
  printf("%.6f\n", looked);
  for (int at = 0; at < connections && may_begin(); at++) connect_anew(&sessions[at]);
  while (alive) {
    int count = epoll_wait(epoll, events, 256, 1000);
    for (int at = 0; at < count; at++) {
      struct session *session = events[at].data.ptr;
      if (session->step == FREE) continue;
      if (session->step == BODY && events[at].events & EPOLLOUT) send_body(session);
      if (session->step != FREE && events[at].events & ~EPOLLOUT) hear(session);
    }
    if (now() - looked > 1) give_up_on_the_silent(sessions, connections), looked = now();
  }
  fclose(fates);
  return 0;
}
