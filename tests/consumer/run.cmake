# Builds and runs the consumer project in one of two ways; any failing step fails the test.
function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE "${WORK}")
set(configure ${CMAKE_COMMAND} -G Ninja -S "${CONSUMER}" -B "${WORK}/build" -D CMAKE_BUILD_TYPE=${BUILD_TYPE}
  # That it builds is the question, not how it would be debugged.
  -D CMAKE_CXX_FLAGS_DEBUG=-O0)
if(LAUNCHER)
  list(APPEND configure -D CMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER})
endif()

if(WAY STREQUAL "installed")
  run(${CMAKE_COMMAND} --install "${SESSILE_BUILD}" --prefix "${WORK}/prefix")
  run(${configure} -D CMAKE_PREFIX_PATH=${WORK}/prefix)
else()
  run(${configure} -D SESSILE_SOURCE=${SESSILE_SOURCE})
endif()
run(${CMAKE_COMMAND} --build "${WORK}/build" --target consumer)
find_program(program consumer PATHS "${WORK}/build" NO_DEFAULT_PATH REQUIRED)
run("${program}")
