package console

func (c *Console) simulatorPage() {}
