#pragma once
// What a call says that refuses its arguments.

#include <stdexcept>
#include <string>

/// The message of the std::invalid_argument that `call` throws; "" if it throws nothing.
template <class Call>
std::string refusal(const Call& call) {
  try {
    call();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

/// Whether a message names all of these.
template <class... Parts>
bool names(const std::string& message, const Parts&... parts) {
  return ((message.find(parts) != std::string::npos) && ...);
}
