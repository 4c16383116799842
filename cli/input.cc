#include "reeve/cli/input.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "reeve/engine/text.h"

namespace reeve {

Input::Input(const std::string& name)
    : name_(name == "-" ? "standard input" : Printable(name, 1000)),
      fd_(name == "-" ? STDIN_FILENO : open(name.c_str(), O_RDONLY | O_CLOEXEC)),
      error_(fd_ < 0 ? errno : 0) {}

Input::~Input() {
  if (fd_ > STDIN_FILENO) close(fd_);
}

bool Input::Read(bool to_end, std::string* text) {
  text->clear();
  bool any = false;
  while (!rest_.empty() || Fill()) {
    any = true;
    const size_t feed = to_end ? std::string_view::npos : rest_.find('\n');
    const std::string_view part = rest_.substr(0, feed);
    text->append(part.substr(0, kMaxInputBytes - text->size()));
    rest_.remove_prefix(feed == std::string_view::npos ? part.size() : feed + 1);
    if (feed != std::string_view::npos) return true;
  }
  return any && error_ == 0;
}

bool Input::Failed() const {
  if (error_ == 0) return false;
  std::fprintf(stderr, "%s: cannot be read: %s\n", name_.c_str(), std::strerror(error_));
  return true;
}

bool Input::Fill() {
  if (error_ != 0) return false;
  ssize_t got;
  do {
    got = read(fd_, buffer_.data(), buffer_.size());
  } while (got < 0 && errno == EINTR);
  if (got < 0) error_ = errno;
  rest_ = std::string_view(buffer_.data(), got > 0 ? got : 0);
  return got > 0;
}

}  // namespace reeve
