install(TARGETS sessile EXPORT SessileTargets)
