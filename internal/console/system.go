package console

func (c *Console) systemPage() {}
