# What every target of the project is compiled with, said once.

find_program(SESSILE_CCACHE ccache)
if(SESSILE_CCACHE AND PROJECT_IS_TOP_LEVEL AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Precompiled headers hit the cache only when time macros are overlooked.
  set(CMAKE_CXX_COMPILER_LAUNCHER
    ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
    "${SESSILE_CCACHE}")
endif()

# Some fifty programs are linked.
find_program(SESSILE_MOLD mold)
if(SESSILE_MOLD AND PROJECT_IS_TOP_LEVEL)
  add_link_options(-fuse-ld=mold)
endif()

# Options that a consumer of the library must not inherit.
function(sessile_options target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # g++ 12 reports accesses in inlined standard library code that cannot happen.
    target_compile_options(${target} PRIVATE
      -fcoroutines -fpch-preprocess -Wno-maybe-uninitialized -Wno-restrict -Wno-stringop-overflow
      -Wno-array-bounds -Wno-stringop-overread -Wno-mismatched-new-delete)
  endif()
  if(SESSILE_COVERAGE)
    target_compile_options(${target} PRIVATE --coverage -fprofile-update=atomic -fprofile-abs-path)
    target_link_options(${target} PUBLIC --coverage)
  endif()
  if(SESSILE_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${SESSILE_SANITIZE} -fno-sanitize-recover=all)
    target_link_options(${target} PUBLIC -fsanitize=${SESSILE_SANITIZE})
    if(SESSILE_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      # Asio's scheduler uses fences, which g++ cannot instrument and warns about.
      target_compile_options(${target} PRIVATE -Wno-tsan)
    endif()
  endif()
endfunction()

# Asio and JSON headers dominate the time of a build: they are compiled once, for all targets.
function(sessile_precompile target)
  if(NOT TARGET sessile_precompiled)
    add_library(sessile_precompiled OBJECT "${PROJECT_SOURCE_DIR}/cmake/precompiled.cpp")
    sessile_options(sessile_precompiled)
    target_compile_options(sessile_precompiled PRIVATE -fPIC)
    target_link_libraries(sessile_precompiled PRIVATE Boost::boost Boost::json Threads::Threads)
    target_precompile_headers(sessile_precompiled PRIVATE "${PROJECT_SOURCE_DIR}/cmake/precompiled.hpp")
  endif()
  # A precompiled header serves only those compiled alike: programs too are made of -fPIC objects.
  target_compile_options(${target} PRIVATE -fPIC)
  target_precompile_headers(${target} REUSE_FROM sessile_precompiled)
endfunction()
