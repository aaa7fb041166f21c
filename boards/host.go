package boards

// checkHost finds what this machine cannot do for the appliance before anything is started.
func (r *Running) checkHost(a *Appliance) error { return nil }
